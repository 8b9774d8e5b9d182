"""Sinks from the topic of pins into Postgres: one row per pin, and counts per window."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from functools import reduce

import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import DataFrame
from pyspark.sql import functions as F  # noqa: N812

from pin_pipeline.quarantine.rejected_rows import REJECTION_TYPE, rejected_rows
from pin_pipeline.records import PIN
from pin_pipeline.records.reasons import Reason
from pin_pipeline.records.rules_version import rules_version
from pin_pipeline.spark.classify import classify
from pin_pipeline.storage.postgres import Postgres, PostgresTable, insert_rows, upsert_rows
from pin_pipeline.streaming.postgres_tables import EXPERIMENTAL_DATA, POSITION, POSTED_AT, QUARANTINE, WRITTEN_AT

NUL = "\0"


class PinsSink:
    """Sink for pins and rejected records, each written exactly once, to be passed to `foreachBatch`.

    Raises:
        PostgresError: Postgres does not respond or refuses the request.
    """

    def __init__(self, postgres: Postgres) -> None:
        self._postgres = postgres
        self._rules_version = rules_version(PIN)
        self.identity = f"{postgres.ensure_table(EXPERIMENTAL_DATA)}-{postgres.ensure_table(QUARANTINE)}"

    def __call__(self, batch: DataFrame, _number: int) -> None:
        """Classify and write a micro-batch with the columns that `with_position` returns."""
        records = batch.withColumn("original", F.col("bytes"))
        self.write(classify(PIN, records, [*POSITION, POSTED_AT.name, "original"]).toArrow())

    def write(self, classified: pa.Table) -> None:
        """Write records that `classify` returned, with the bytes of each, accepted or not, in `original`."""
        is_rejected = pc.or_(classified["rejection"].is_valid(), _contains_nul(classified))
        now = pa.array([datetime.now(UTC)] * classified.num_rows, pa.timestamp("us", "UTC"))
        accepted = classified.append_column(WRITTEN_AT.name, now).filter(pc.invert(is_rejected))
        with self._postgres.transaction() as connection:
            insert_rows(connection, EXPERIMENTAL_DATA, accepted)
            insert_rows(connection, QUARANTINE, self._rejected_rows(classified.filter(is_rejected)))

    def _rejected_rows(self, classified: pa.Table) -> pa.Table:
        rejections = [row["rejection"] or _nul_rejection(row) for row in classified.to_pylist()]
        records = classified.set_column(classified.column_names.index("bytes"), "bytes", classified["original"])
        rows = rejected_rows(records, pa.array(rejections, REJECTION_TYPE), self._rules_version)
        return rows.select(QUARANTINE.names)


class WindowSink:
    """Sink for the windows that a micro-batch changed, to be passed to `foreachBatch`.

    Raises:
        PostgresError: Postgres does not respond or refuses the request.
    """

    def __init__(self, postgres: Postgres, table: PostgresTable) -> None:
        self._postgres, self._table = postgres, table
        self.identity = postgres.ensure_table(table)

    def __call__(self, batch: DataFrame, _number: int) -> None:
        """Insert or replace the rows of a micro-batch."""
        rows = batch.select(*self._table.names).toArrow()
        if rows.num_rows:
            with self._postgres.transaction() as connection:
                upsert_rows(connection, self._table, rows)


def _contains_nul(classified: pa.Table) -> pa.ChunkedArray:
    """Return for each record whether a text contains the character NUL, which Postgres, unlike Delta, cannot store."""
    texts = [classified[column.name] for column in PIN.columns if column.type == "string"]
    return reduce(pc.or_, [pc.fill_null(pc.match_substring(text, NUL), fill_value=False) for text in texts])


def _nul_rejection(row: dict[str, object]) -> dict[str, str]:
    [name, *_] = [name for name, value in row.items() if isinstance(value, str) and NUL in value]
    return {"reason": Reason.INVALID_VALUE, "field": name, "value": json.dumps(row[name])}
