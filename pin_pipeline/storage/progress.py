"""Cleaning progress: the high-water mark of a cleaned table, stored in the metadata of its commits.

Rows and progress are one Delta commit, so that a crash cannot separate them, as it could with a progress file.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from pin_pipeline.storage.delta_commits import new_rows
from pin_pipeline.storage.delta_snapshot import Snapshot
from pin_pipeline.storage.object_keys import AREAS, ObjectName
from pin_pipeline.storage.object_store import ObjectStore

# Names in the commit metadata of existing tables that differ from the attributes.
STORED_NAMES = {"batch_stats": "observed", "inconsistent": "apart", "accepted": "fit"}


@dataclass(frozen=True)
class Occurrences:
    """Number of records with a finding, and the partition and offset of the first."""

    records: int
    partition: int
    offset: int

    def __str__(self) -> str:
        return f"{self.records} records, the first at partition {self.partition}, offset {self.offset}"


@dataclass(frozen=True)
class BatchStats:
    """Counts over one batch of records.

    Attributes:
        records: number of records in the batch.
        quarantined: number of rejected records.
        inconsistent: accepted records that break a consistency rule, by name of the rule.
        unknown: accepted records with a field that their type does not have, by name of the field; the most frequent
            fields only.
    """

    records: int = 0
    quarantined: int = 0
    inconsistent: dict[str, Occurrences] = field(default_factory=dict)
    unknown: dict[str, Occurrences] = field(default_factory=dict)

    def stored(self) -> dict[str, Any]:
        """Return the form that commit metadata holds."""
        plain = asdict(self)
        return {STORED_NAMES.get(name, name): value for name, value in plain.items()}

    @classmethod
    def from_stored(cls, stored: dict[str, Any]) -> BatchStats:
        """Reverse `stored`."""
        inconsistent, unknown = (
            {name: Occurrences(**found) for name, found in stored[column].items()}
            for column in (STORED_NAMES["inconsistent"], "unknown")
        )
        return cls(stored["records"], stored["quarantined"], inconsistent, unknown)


@dataclass(frozen=True)
class CleaningProgress:
    """Totals over all records read so far.

    Attributes:
        batch: number of committed batches; each commit must be exactly the next one.
        last_keys: key of the last object read, by folder: one per area and partition.
        landed: number of records read.
        quarantined: number of these that are in quarantine.
        superseded: number of accepted records that are not the latest of their key.
        replayed: batch that last published records from quarantine; rows of the quarantine with this number in
            `replayed_in` are published.
        batch_stats: stats of the last batch read.
    """

    batch: int = 0
    last_keys: dict[str, str] = field(default_factory=dict)
    landed: int = 0
    quarantined: int = 0
    superseded: int = 0
    replayed: int | None = None
    batch_stats: BatchStats = field(default_factory=BatchStats)

    @classmethod
    def of(cls, table: Snapshot | None) -> CleaningProgress:
        """Read the progress from a cleaned table's last commit; zero if there is no table."""
        if table is None:
            return cls()
        commit = table.last_commit
        metadata = dict(commit.metadata)
        accepted = metadata.pop(STORED_NAMES["accepted"])
        stats = BatchStats.from_stored(metadata.pop(STORED_NAMES["batch_stats"]))
        progress = cls(**metadata, batch_stats=stats)
        return replace(progress, superseded=progress.superseded + accepted - new_rows(commit))

    def metadata(self, accepted: int = 0) -> str:
        """Return the commit metadata for this progress.

        Args:
            accepted: number of records that the commit publishes. How many of them are superseded is known only from
                the metrics of the commit itself; `of` adds it.
        """
        plain = asdict(self) | {"batch_stats": self.batch_stats.stored(), "accepted": accepted}
        return json.dumps({STORED_NAMES.get(name, name): value for name, value in plain.items()})

    def after(self, names: Sequence[ObjectName], stats: BatchStats) -> CleaningProgress:
        """Return the progress after these objects, whose records have these stats."""
        return replace(
            self,
            batch=self.batch + 1,
            last_keys=self.last_keys | {name.folder: name.key for name in sorted(names)},
            landed=self.landed + stats.records,
            quarantined=self.quarantined + stats.quarantined,
            batch_stats=stats,
        )

    def after_replay(self, accepted: int) -> CleaningProgress:
        """Return the progress after a replay has published this many records from quarantine."""
        batch = self.batch + 1
        return replace(self, batch=batch, quarantined=self.quarantined - accepted, replayed=batch)

    @property
    def in_quarantine(self) -> str:
        """SQL condition for the rows of the quarantine table that are still in quarantine."""
        return "true" if self.replayed is None else f"(replayed_in is distinct from {self.replayed})"

    def new_objects(self, store: ObjectStore, topic: str) -> Iterator[tuple[ObjectName, int]]:
        """Yield the final objects of a topic that were not read yet, with their sizes in bytes.

        The listings start after the objects that were read.
        """
        verified = store.verified_offsets(topic)
        for name, size in self._unread_sizes(store, topic):
            if verified is None or (name.partition in verified and name.offset < verified[name.partition].next_offset):
                yield name, size

    def new_bytes(self, store: ObjectStore, topic: str) -> int:
        """Return the size of the objects of a topic that were not read yet, final or not."""
        return sum(size for _, size in self._unread_sizes(store, topic))

    def _unread_sizes(self, store: ObjectStore, topic: str) -> Iterator[tuple[ObjectName, int]]:
        for area in AREAS:
            for partition in store.partitions(area, topic):
                first = ObjectName(area, topic, partition, 0)
                last_key = self.last_keys.get(first.folder)
                if last_key is None:
                    yield from store.list_sizes(first)
                else:
                    yield from store.list_sizes(ObjectName.parse(last_key), inclusive=False)
