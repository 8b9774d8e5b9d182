"""The lake's tables: where they lie, and what their Delta logs tell without starting Spark."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
from deltalake import CommitProperties, DeltaTable, Field, QueryBuilder, Schema, write_deltalake
from deltalake.exceptions import CommitFailedError, TableNotFoundError
from deltalake.schema import ArrayType, PrimitiveType

from pin_pipeline.environment import Settings
from pin_pipeline.lakehouse.preview import markdown
from pin_pipeline.records import Column

# Usually the last commit is ours; a hundred are far more than maintenance ever makes between two of ours.
FEW, HISTORY = 3, 100


@dataclass(frozen=True)
class Commit:
    """A commit of ours: when it was made, what we wrote into its metadata, and what Delta counted."""

    at: datetime
    metadata: Mapping[str, Any]
    metrics: Mapping[str, Any]


@dataclass(frozen=True)
class Lake:
    """The Delta tables of one bucket, at `{root}/{asset key}`; credentials come from the environment."""

    bucket: str
    endpoint_url: str
    region: str
    root: str = "lake"

    @classmethod
    def of(cls, settings: Settings) -> Lake:
        """The lake of the environment."""
        return cls(settings.bucket, settings.s3_endpoint_url, settings.region)

    def path(self, key: str) -> str:
        """Where Spark finds a table."""
        return f"s3a://{self.bucket}/{self.root}/{key}"

    def table(self, key: str) -> DeltaTable | None:
        """A table as it is now, None where there is none yet."""
        try:
            return DeltaTable(self._uri(key), storage_options=self._options())
        except TableNotFoundError:
            return None

    def ensure(self, key: str, columns: Sequence[Column], properties: Mapping[str, str], metadata: str) -> None:
        """Make a table without rows, by a commit that carries `metadata`; one that is there gets columns it lacks."""
        comments = {column: {"comment": column.description} for column in columns}
        fields = [Field(column.name, _type(column.type), metadata=comment) for column, comment in comments.items()]
        table = self.table(key)
        if table is None:
            self._create(key, fields, properties, metadata)
        elif missing := [
            field for field in fields if field.name not in {there.name for there in table.schema().fields}
        ]:
            table.alter.add_columns(missing)

    def _create(self, key: str, fields: list[Field], properties: Mapping[str, str], metadata: str) -> None:
        # A second try would not make the table, but change it behind the back of the run that has just made it.
        commit = CommitProperties(custom_metadata={"userMetadata": metadata}, max_commit_retries=0)
        with suppress(CommitFailedError):
            DeltaTable.create(
                self._uri(key),
                Schema(fields),
                mode="ignore",
                configuration=properties,
                commit_properties=commit,
                storage_options=self._options(),
            )

    def write(self, key: str, rows: pa.Table) -> None:
        """Replace a small table's rows in one commit; makes the table where there is none."""
        write_deltalake(
            self._uri(key), rows, mode="overwrite", schema_mode="overwrite", storage_options=self._options()
        )

    def version(self, key: str) -> int | None:
        """The number of a table's last commit, None where there is no table."""
        table = self.table(key)
        return None if table is None else table.version()

    def rows(self, key: str) -> int:
        """How many rows a table has, from the counts in its log; 0 where there is no table."""
        table = self.table(key)
        if table is None:
            return 0
        return sum(pa.table(table.get_add_actions(flatten=True))["num_records"].to_pylist())

    def last_commit(self, key: str) -> Commit | None:
        """The newest commit that carries metadata of ours.

        Raises:
            ValueError: the table has commits, but none of them is ours.
        """
        table = self.table(key)
        if table is None:
            return None
        for limit in (FEW, HISTORY):
            for commit in _commits(table, limit):
                return commit
        raise ValueError(
            f"none of the last {HISTORY} commits of {self.path(key)} was made by this pipeline, so its progress is not "
            "known; move the table away and materialize it again from the landed objects"
        )

    def commits(self, key: str) -> Iterator[Commit]:
        """Those of a table's last commits that carry metadata of ours, the newest first."""
        table = self.table(key)
        return iter(()) if table is None else _commits(table, HISTORY)

    def query(self, key: str, sql: str) -> pa.Table:
        """The answer of a query over one table, named `t` in it; for counts and samples, read in a stream."""
        return self.join({"t": key}, sql)

    def join(self, tables: Mapping[str, str], sql: str) -> pa.Table:
        """The answer of a query over tables, given by their names in the query.

        Raises:
            ValueError: there is no such table.
        """
        query = QueryBuilder()
        for name, key in tables.items():
            table = self.table(key)
            if table is None:
                raise ValueError(f"there is no table at {self.path(key)}; materialize {key} first")
            query.register(name, table)
        return pa.table(query.execute(sql))

    def preview(self, key: str) -> str:
        """The first rows of a table as Markdown."""
        return markdown(self.query(key, "select * from t limit 5"))

    def _uri(self, key: str) -> str:
        return f"s3://{self.bucket}/{self.root}/{key}"

    def _options(self) -> dict[str, str]:
        options = {
            "AWS_ENDPOINT_URL": self.endpoint_url,
            "AWS_REGION": self.region,
            "AWS_ALLOW_HTTP": str(self.endpoint_url.startswith("http://")).lower(),
        }
        names = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
        return options | {name: os.environ[name] for name in names if name in os.environ}


def _commits(table: DeltaTable, limit: int) -> Iterator[Commit]:
    for commit in table.history(limit=limit):
        if "userMetadata" in commit:
            at = datetime.fromtimestamp(commit["timestamp"] / 1000, UTC)
            yield Commit(at, json.loads(commit["userMetadata"]), commit.get("operationMetrics", {}))


def _type(sql: str) -> PrimitiveType | ArrayType:
    if sql.startswith("array<"):
        return ArrayType(_type(sql.removeprefix("array<").removesuffix(">")), contains_null=True)
    return PrimitiveType({"bigint": "long", "int": "integer"}.get(sql, sql))
