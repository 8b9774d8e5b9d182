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

from pin_pipeline.lakehouse.preview import markdown

# Usually the last commit is ours; a hundred are far more than maintenance ever makes between two of ours.
FEW, HISTORY = 3, 100


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
        for limit in (FEW, HISTORY):
            for commit in self._commits(limit):
                return commit
        raise ValueError(
            f"none of the last {HISTORY} commits of {self.delta.table_uri} was made by this pipeline, so its progress "
            "is not known; move the table away and materialize it again from the landed objects"
        )

    def commits(self) -> Iterator[Commit]:
        """Those of its last commits that carry metadata of ours, the newest first."""
        return self._commits(HISTORY)

    def query(self, sql: str, **others: Snapshot) -> pa.Table:
        """The answer of a query over this table, `t` in it, and others by their names; for counts and samples."""
        query = QueryBuilder().register("t", self.delta)
        for name, other in others.items():
            query.register(name, other.delta)
        return pa.table(query.execute(sql))

    def preview(self) -> str:
        """Its first rows as Markdown."""
        return markdown(self.query("select * from t limit 5"))

    def _commits(self, limit: int) -> Iterator[Commit]:
        for commit in self.delta.history(limit=limit):
            if "userMetadata" in commit:
                at = datetime.fromtimestamp(commit["timestamp"] / 1000, UTC)
                yield Commit(at, json.loads(commit["userMetadata"]), commit.get("operationMetrics", {}))
