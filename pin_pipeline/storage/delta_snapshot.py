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

PREVIEW_ROWS = 5


class UnknownProgressError(PipelineError):
    """Raised when the log of a table has no commit of this pipeline, so that its progress is unknown."""


@dataclass(frozen=True)
class Commit:
    """A commit of this pipeline.

    Attributes:
        version: version of the table that it made.
        operation: name of the Delta operation; Spark and delta-rs use the same names.
        metadata: metadata that the pipeline wrote.
        metrics: metrics that the writer counted; each writer has its own names, see `delta_commits.new_rows`.
    """

    version: int
    at: datetime
    operation: str
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
            UnknownProgressError: the log has none, or no longer has it.
        """
        for commit in self.commits():
            return commit
        raise UnknownProgressError(
            f"the log of {self.delta.table_uri} has no commit of this pipeline, so its progress is unknown: "
            "move the table elsewhere and materialize it again from the landed objects"
        )

    def commits(self) -> Iterator[Commit]:
        """Yield the pipeline's commits that the log still has, newest first; each is read lazily."""
        for version in range(self.version, -1, -1):
            try:
                info = self.log.commit_info(version)
            except FileNotFoundError:
                return  # log cleanup has removed this commit and all older ones
            metadata = _parse_metadata(info.get("userMetadata"))
            if metadata is not None:
                at = datetime.fromtimestamp(info["timestamp"] / 1000, UTC)
                yield Commit(version, at, info["operation"], metadata, info.get("operationMetrics", {}))

    def query(self, sql: str, **tables: Snapshot) -> pa.Table:
        """Run a SQL query, for counts and samples. This table is `t` in it; other tables have their argument's name."""
        query = QueryBuilder().register("t", self.delta)
        for name, table in tables.items():
            query.register(name, table.delta)
        return pa.table(query.execute(sql))

    def preview(self) -> str:
        """Return the first rows as a Markdown table and, if there are more, the command that prints them."""
        table = markdown_table(self.query(f"select * from t limit {PREVIEW_ROWS}"))  # noqa: S608 - a constant
        if self.rows <= PREVIEW_ROWS:
            return table
        return f"{table}\n\n{PREVIEW_ROWS} of {self.rows} rows; all: `pin-pipeline show {self.key} --rows {self.rows}`"


def _parse_metadata(text: str | None) -> dict[str, Any] | None:
    """Parse the user metadata of a commit; None if missing, or if another writer has put a text of its own there."""
    try:
        metadata = json.loads(text or "null")
    except json.JSONDecodeError:
        return None
    return metadata if isinstance(metadata, dict) else None
