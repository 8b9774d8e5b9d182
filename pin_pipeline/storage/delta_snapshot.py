"""Snapshot: one version of a Delta table, read without Spark."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

import pyarrow as pa
from deltalake import DeltaTable, QueryBuilder

from pin_pipeline.errors import PipelineError
from pin_pipeline.reports import markdown_table
from pin_pipeline.storage.delta_log import DeltaLog

HISTORY = 100
"""Commits searched for the pipeline's last one; maintenance makes far fewer between two of them."""


class UnknownProgressError(PipelineError):
    """Raised when a table has no recent commit of this pipeline, so that its progress is unknown."""


@dataclass(frozen=True)
class Commit:
    """A commit of this pipeline: its time, the metadata that the pipeline wrote, and the metrics that Delta counted."""

    at: datetime
    metadata: Mapping[str, Any]
    metrics: Mapping[str, Any]


@dataclass(frozen=True)
class Snapshot:
    """One version of a table. All reads are consistent with each other, even while other processes write."""

    key: str
    delta: DeltaTable
    log: DeltaLog

    @property
    def version(self) -> int:
        """Version of the table, the number of its last commit."""
        return self.delta.version()

    @cached_property
    def rows(self) -> int:
        """Number of rows, from the counts in the log."""
        return sum(pa.table(self.delta.get_add_actions(flatten=True))["num_records"].to_pylist())

    @cached_property
    def bytes(self) -> int:
        """Size of its files, from the log."""
        return sum(pa.table(self.delta.get_add_actions(flatten=True))["size_bytes"].to_pylist())

    @cached_property
    def last_commit(self) -> Commit:
        """The newest commit of this pipeline.

        Raises:
            UnknownProgressError: none of the last `HISTORY` commits is one.
        """
        for commit in self.commits():
            return commit
        raise UnknownProgressError(
            f"none of the last {HISTORY} commits of {self.delta.table_uri} was made by this pipeline, so its progress "
            "is unknown: move the table elsewhere and materialize it again from the landed objects"
        )

    def commits(self) -> Iterator[Commit]:
        """Yield the pipeline's commits among the last `HISTORY`, newest first; each is read lazily."""
        for version in range(self.version, max(self.version - HISTORY, -1), -1):
            try:
                info = self.log.commit_info(version)
            except FileNotFoundError:
                return  # log cleanup has removed this commit and all older ones
            if "userMetadata" in info:
                at = datetime.fromtimestamp(info["timestamp"] / 1000, UTC)
                yield Commit(at, json.loads(info["userMetadata"]), info.get("operationMetrics", {}))

    def query(self, sql: str, **tables: Snapshot) -> pa.Table:
        """Run a SQL query, for counts and samples. This table is `t` in it; other tables have their argument's name."""
        query = QueryBuilder().register("t", self.delta)
        for name, table in tables.items():
            query.register(name, table.delta)
        return pa.table(query.execute(sql))

    def preview(self) -> str:
        """Return the first rows as a Markdown table."""
        return markdown_table(self.query("select * from t limit 5"))
