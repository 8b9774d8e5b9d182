"""A Delta table as it stood when it was opened, read without Spark."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

import pyarrow as pa
from deltalake import DeltaTable, QueryBuilder

from pin_pipeline.reports import markdown_table
from pin_pipeline.storage.delta_log import DeltaLog

# Far more commits than maintenance ever makes between two of ours.
HISTORY = 100


@dataclass(frozen=True)
class Commit:
    """A commit of ours: when it was made, what we wrote into its metadata, and what Delta counted."""

    at: datetime
    metadata: Mapping[str, Any]
    metrics: Mapping[str, Any]


@dataclass(frozen=True)
class Snapshot:
    """One version of a table: all that it is asked fits together, whoever writes meanwhile."""

    key: str
    delta: DeltaTable
    log: DeltaLog

    @property
    def version(self) -> int:
        """The number of its last commit."""
        return self.delta.version()

    @cached_property
    def rows(self) -> int:
        """How many rows it has, from the counts in its log."""
        return sum(pa.table(self.delta.get_add_actions(flatten=True))["num_records"].to_pylist())

    @cached_property
    def last_commit(self) -> Commit:
        """The newest commit that carries metadata of ours.

        Raises:
            ValueError: none of its commits is ours.
        """
        for commit in self.commits():
            return commit
        raise ValueError(
            f"none of the last {HISTORY} commits of {self.delta.table_uri} was made by this pipeline, so its progress "
            "is not known; move the table away and materialize it again from the landed objects"
        )

    def commits(self) -> Iterator[Commit]:
        """Those of its last commits that carry metadata of ours, the newest first, each read when it is asked for."""
        for version in range(self.version, max(self.version - HISTORY, -1), -1):
            try:
                info = self.log.info(version)
            except FileNotFoundError:
                return  # cleaned up, as all before it
            if "userMetadata" in info:
                at = datetime.fromtimestamp(info["timestamp"] / 1000, UTC)
                yield Commit(at, json.loads(info["userMetadata"]), info.get("operationMetrics", {}))

    def query(self, sql: str, **others: Snapshot) -> pa.Table:
        """The answer of a query over this table, `t` in it, and others by their names; for counts and samples."""
        query = QueryBuilder().register("t", self.delta)
        for name, other in others.items():
            query.register(name, other.delta)
        return pa.table(query.execute(sql))

    def preview(self) -> str:
        """Its first rows as Markdown."""
        return markdown_table(self.query("select * from t limit 5"))
