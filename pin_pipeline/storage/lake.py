"""The lake's tables: where they lie; opened, made and written without starting Spark."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property

import pyarrow as pa
from deltalake import CommitProperties, DeltaTable, Field, Schema, write_deltalake
from deltalake.exceptions import CommitFailedError, TableNotFoundError
from deltalake.fs import DeltaStorageHandler
from deltalake.schema import ArrayType, PrimitiveType
from pyarrow.fs import PyFileSystem

from pin_pipeline.records import Column
from pin_pipeline.settings import Settings
from pin_pipeline.storage.delta_log import DeltaLog
from pin_pipeline.storage.delta_snapshot import Snapshot

PROPERTIES = {"delta.minReaderVersion": "1", "delta.minWriterVersion": "2", "delta.enableDeletionVectors": "false"}
"""Properties of every table: any Delta reader can read it, without deletion vectors or column mapping."""


@dataclass(frozen=True)
class Lake:
    """The Delta tables of one bucket, at `{root}/{asset key}`; credentials come from the environment.

    It keeps what it has opened, so it is made anew for each run: the logs keep their commits for longer than any lasts.

    Attributes:
        endpoint_url: where S3 is; None for AWS's own.
        options: further ones of the storage, such as how long to wait for it.
    """

    bucket: str
    endpoint_url: str | None
    region: str
    root: str = "lake"
    options: Mapping[str, str] = field(default_factory=dict)
    _opened: dict[str, Snapshot | None] = field(default_factory=dict, init=False, repr=False, compare=False)

    @classmethod
    def of(cls, settings: Settings) -> Lake:
        """The lake of the environment."""
        return cls(settings.bucket, settings.s3_endpoint_url, settings.region)

    def path(self, key: str) -> str:
        """Where Spark finds a table."""
        return f"s3a://{self.bucket}/{self.root}/{key}"

    def snapshot(self, key: str) -> Snapshot | None:
        """A table as it is now, None where there is none yet."""
        if key in self._opened:
            # It is as it was, whoever writes to it, unless it has got a next commit.
            opened = self._opened[key]
            if not self._log(key).has(0 if opened is None else opened.version + 1):
                return opened
        try:
            self._opened[key] = self.reopen(key)
        except TableNotFoundError:
            self._opened[key] = None
        return self._opened[key]

    def existing(self, key: str) -> Snapshot:
        """A table as it is now.

        Raises:
            ValueError: there is none.
        """
        table = self.snapshot(key)
        if table is None:
            raise ValueError(f"there is no table at {self.path(key)}; materialize {key} first")
        return table

    def reopen(self, key: str) -> Snapshot:
        """A table as it is now, for one who goes on writing to it: what others have opened stays as it was.

        Raises:
            TableNotFoundError: there is none.
        """
        return Snapshot(key, self._delta(key), self._log(key))

    def ensure(self, key: str, columns: Sequence[Column], properties: Mapping[str, str], metadata: str) -> Snapshot:
        """Make a table without rows, by a commit that carries `metadata`; one that is there gets columns it lacks."""
        comments = {column: {"comment": column.description} for column in columns}
        fields = [Field(column.name, _type(column.type), metadata=comment) for column, comment in comments.items()]
        table = self.snapshot(key)
        if table is None:
            self._create(key, fields, properties, metadata)
            return self.existing(key)
        there = {field.name for field in table.delta.schema().fields}
        missing = [field for field in fields if field.name not in there]
        if not missing:
            return table
        self._delta(key).alter.add_columns(missing)  # not on the one that was opened: it is as it was
        return self.existing(key)

    def _delta(self, key: str) -> DeltaTable:
        return DeltaTable(self._uri(key), storage_options=self._options())

    def _log(self, key: str) -> DeltaLog:
        return DeltaLog(self._files, f"{key}/_delta_log")

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

    @cached_property
    def _files(self) -> PyFileSystem:
        return PyFileSystem(DeltaStorageHandler(self._uri(""), self._options()))

    def _uri(self, key: str) -> str:
        return f"s3://{self.bucket}/{self.root}/{key}"

    def _options(self) -> dict[str, str]:
        options = {"AWS_REGION": self.region}
        if self.endpoint_url:
            options["AWS_ENDPOINT_URL"] = self.endpoint_url
            options["AWS_ALLOW_HTTP"] = str(self.endpoint_url.startswith("http://")).lower()
        names = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
        credentials = {name: os.environ[name] for name in names if name in os.environ}
        return {**options, **credentials, **self.options}


def _type(sql: str) -> PrimitiveType | ArrayType:
    if sql.startswith("array<"):
        return ArrayType(_type(sql.removeprefix("array<").removesuffix(">")), contains_null=True)
    return PrimitiveType({"bigint": "long", "int": "integer"}.get(sql, sql))
