"""The lake's tables: where they lie; opened, made and written without starting Spark."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

import pyarrow as pa
from deltalake import CommitProperties, DeltaTable, Field, Schema, write_deltalake
from deltalake.exceptions import CommitFailedError, TableNotFoundError
from deltalake.schema import ArrayType, PrimitiveType

from pin_pipeline.environment import Settings
from pin_pipeline.lakehouse.snapshot import Snapshot
from pin_pipeline.records import Column


@dataclass(frozen=True)
class Lake:
    """The Delta tables of one bucket, at `{root}/{asset key}`; credentials come from the environment.

    Attributes:
        options: further ones of the storage, such as how long to wait for it.
    """

    bucket: str
    endpoint_url: str
    region: str
    root: str = "lake"
    options: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, settings: Settings) -> Lake:
        """The lake of the environment."""
        return cls(settings.bucket, settings.s3_endpoint_url, settings.region)

    def path(self, key: str) -> str:
        """Where Spark finds a table."""
        return f"s3a://{self.bucket}/{self.root}/{key}"

    def snapshot(self, key: str) -> Snapshot | None:
        """A table as it is now, None where there is none yet."""
        try:
            options = self._options()
            return Snapshot(key, DeltaTable(self._uri(key), storage_options=options), options)
        except TableNotFoundError:
            return None

    def existing(self, key: str) -> Snapshot:
        """A table as it is now.

        Raises:
            ValueError: there is none.
        """
        table = self.snapshot(key)
        if table is None:
            raise ValueError(f"there is no table at {self.path(key)}; materialize {key} first")
        return table

    def ensure(self, key: str, columns: Sequence[Column], properties: Mapping[str, str], metadata: str) -> Snapshot:
        """Make a table without rows, by a commit that carries `metadata`; one that is there gets columns it lacks."""
        comments = {column: {"comment": column.description} for column in columns}
        fields = [Field(column.name, _type(column.type), metadata=comment) for column, comment in comments.items()]
        table = self.snapshot(key)
        if table is None:
            self._create(key, fields, properties, metadata)
            return self.existing(key)
        there = {field.name for field in table.delta.schema().fields}
        if missing := [field for field in fields if field.name not in there]:
            table.delta.alter.add_columns(missing)
        return table

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

    def _uri(self, key: str) -> str:
        return f"s3://{self.bucket}/{self.root}/{key}"

    def _options(self) -> dict[str, str]:
        options = {
            "AWS_ENDPOINT_URL": self.endpoint_url,
            "AWS_REGION": self.region,
            "AWS_ALLOW_HTTP": str(self.endpoint_url.startswith("http://")).lower(),
        }
        names = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
        credentials = {name: os.environ[name] for name in names if name in os.environ}
        return {**options, **credentials, **self.options}


def _type(sql: str) -> PrimitiveType | ArrayType:
    if sql.startswith("array<"):
        return ArrayType(_type(sql.removeprefix("array<").removesuffix(">")), contains_null=True)
    return PrimitiveType({"bigint": "long", "int": "integer"}.get(sql, sql))
