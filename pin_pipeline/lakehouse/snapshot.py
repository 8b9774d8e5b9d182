"""A Delta table as it stood when it was opened, read without Spark."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from itertools import chain
from typing import Any

import pyarrow as pa
from deltalake import DeltaTable, QueryBuilder
from deltalake.fs import DeltaStorageHandler
from pyarrow.fs import PyFileSystem

from pin_pipeline.lakehouse.preview import markdown

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
    options: Mapping[str, str] = field(repr=False)  # of its storage, credentials among them

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
        # Usually it is the very last one, and that can be read without listing the log.
        for commit in chain(self._newest(), self.commits()):
            return commit
        raise ValueError(
            f"none of the last {HISTORY} commits of {self.delta.table_uri} was made by this pipeline, so its progress "
            "is not known; move the table away and materialize it again from the landed objects"
        )

    def commits(self) -> Iterator[Commit]:
        """Those of its last commits that carry metadata of ours, the newest first."""
        for info in self.delta.history(limit=HISTORY):
            yield from _ours(info)

    def query(self, sql: str, **others: Snapshot) -> pa.Table:
        """The answer of a query over this table, `t` in it, and others by their names; for counts and samples."""
        query = QueryBuilder().register("t", self.delta)
        for name, other in others.items():
            query.register(name, other.delta)
        return pa.table(query.execute(sql))

    def preview(self) -> str:
        """Its first rows as Markdown."""
        return markdown(self.query("select * from t limit 5"))

    def _newest(self) -> Iterator[Commit]:
        """The newest of its commits, where it is ours and its file was not cleaned up yet."""
        files = PyFileSystem(DeltaStorageHandler(self.delta.table_uri, dict(self.options)))
        with suppress(FileNotFoundError), files.open_input_stream(f"_delta_log/{self.version:020}.json") as file:
            for line in file.read().splitlines():
                yield from _ours(json.loads(line).get("commitInfo", {}))


def _ours(info: Mapping[str, Any]) -> Iterator[Commit]:
    if "userMetadata" in info:
        at = datetime.fromtimestamp(info["timestamp"] / 1000, UTC)
        yield Commit(at, json.loads(info["userMetadata"]), info.get("operationMetrics", {}))
