"""What is counted of a batch of records while it is cleaned, in the one pass that counts them anyway."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from pyspark.sql import DataFrame, Row
from pyspark.sql import functions as F  # noqa: N812

from pin_pipeline.lakehouse.report import Check, Metadata, Severity
from pin_pipeline.records import RecordKind

UNKNOWN_FIELDS, NAME_CHARACTERS = 20, 100


@dataclass(frozen=True)
class Seen:
    """How many records showed something, and where the first of them stands: partition and offset."""

    records: int
    partition: int
    offset: int

    def __str__(self) -> str:
        return f"{self.records} records, the first at partition {self.partition}, offset {self.offset}"


@dataclass(frozen=True)
class Observed:
    """What a batch was like.

    Attributes:
        records: records in the batch.
        quarantined: those that do not fit.
        apart: of those that fit, by the name of what should go together, those in which it does not.
        unknown: of those that fit, by name of a field that the kind does not have, those that have it; the most
            frequent fields only.
    """

    records: int = 0
    quarantined: int = 0
    apart: dict[str, Seen] = field(default_factory=dict)
    unknown: dict[str, Seen] = field(default_factory=dict)

    @classmethod
    def of(cls, records: DataFrame) -> Observed:
        """Count records as `classify` gives them, their position under the names of the published tables."""
        strange = (F.size("apart") > 0) | (F.size("unknown") > 0)
        [counts] = records.agg(F.count("*"), F.count("problem"), F.count_if(strange)).collect()
        landed, quarantined, strangers = counts
        if not strangers:
            return cls(landed, quarantined)
        return cls(landed, quarantined, _seen(records, "apart"), _seen(records, "unknown"))

    @classmethod
    def from_dict(cls, plain: dict[str, Any]) -> Observed:
        """The reverse of `dataclasses.asdict`."""
        apart, unknown = ({name: Seen(**seen) for name, seen in plain[what].items()} for what in ("apart", "unknown"))
        return cls(plain["records"], plain["quarantined"], apart, unknown)

    def checks(self, kind: RecordKind) -> Iterator[Check]:
        """What the batch says of the kind's data."""
        for pair in kind.together:
            seen = self.apart.get(pair.name)
            yield self._check(pair.name, {"failed": seen.records if seen else 0, "example": str(seen or "none")})
        names = "\n".join(f"* `{name}`: {seen}" for name, seen in self.unknown.items())
        yield self._check("no_unknown_fields", {"failed": len(self.unknown), "fields": names or "none"})

    def _check(self, name: str, metadata: Metadata) -> Check:
        return Check(name, not metadata["failed"], {"records": self.records, **metadata}, Severity.WARN)


def _seen(records: DataFrame, column: str) -> dict[str, Seen]:
    position = F.struct("source_offset", "source_partition")
    found = (
        records.select(F.explode(column).alias("name"), position.alias("at"))
        .groupBy(F.left("name", F.lit(NAME_CHARACTERS)).alias("name"))
        .agg(F.count("*").alias("records"), F.min("at").alias("first"))
        .orderBy(F.desc("records"), "name")
        .limit(UNKNOWN_FIELDS)
    )
    return {row["name"]: _first(row) for row in found.collect()}


def _first(row: Row) -> Seen:
    return Seen(row["records"], row["first"]["source_partition"], row["first"]["source_offset"])
