"""Lake: the Delta tables of one bucket, opened, created and overwritten without Spark."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property

import pyarrow as pa
from deltalake import CommitProperties, DeltaTable, Field, Schema, write_deltalake
from deltalake.exceptions import CommitFailedError, DeltaError, TableNotFoundError
from deltalake.fs import DeltaStorageHandler
from deltalake.schema import ArrayType, DataType, PrimitiveType
from pyarrow.fs import PyFileSystem

from pin_pipeline.aws.clients import LOCAL_CREDENTIALS, LOCAL_REGION, is_local
from pin_pipeline.errors import PipelineError
from pin_pipeline.records import Column
from pin_pipeline.settings import Settings
from pin_pipeline.storage.delta_log import DeltaLog
from pin_pipeline.storage.delta_snapshot import Snapshot

STORED_PROPERTIES = {"delta.enableDeletionVectors": "false"}
"""Properties of a table that Spark has created; it does not store the versions of the protocol among them."""

PROPERTIES = {"delta.minReaderVersion": "1", "delta.minWriterVersion": "2", **STORED_PROPERTIES}
"""Properties of every table: any Delta reader can read it, without deletion vectors or column mapping."""


class LakeError(PipelineError):
    """Raised when a table of the lake cannot be read."""


class NoSuchTableError(LakeError):
    """Raised when a required table does not exist."""


class ColumnTypeError(LakeError):
    """Raised when a column of a table has another type than its definition."""


@dataclass(frozen=True)
class Lake:
    """The Delta tables of one bucket, at `{root}/{asset key}`; credentials come from the environment.

    Opened tables are cached. Create one instance per run: a table's log keeps its commits for longer than a run lasts.

    Attributes:
        endpoint_url: S3 endpoint; None for AWS.
        options: additional storage options of delta-rs, such as timeouts.
    """

    bucket: str
    endpoint_url: str | None
    region: str
    root: str = "lake"
    options: Mapping[str, str] = field(default_factory=dict)
    _opened: dict[str, Snapshot | None] = field(default_factory=dict, init=False, repr=False, compare=False)

    @classmethod
    def of(cls, settings: Settings) -> Lake:
        """Return the lake that the settings describe."""
        return cls(settings.bucket, settings.s3_endpoint_url, settings.region)

    def path(self, key: str) -> str:
        """Return the URL of a table for Spark."""
        return f"s3a://{self.bucket}/{self.root}/{key}"

    def snapshot(self, key: str) -> Snapshot | None:
        """Return the current version of a table, or None if it does not exist."""
        if key in self._opened:
            # The cached version is current unless the log has the next commit, whichever process wrote it.
            opened = self._opened[key]
            if not self._log(key).has_version(0 if opened is None else opened.version + 1):
                return opened
        try:
            self._opened[key] = self.load(key)
        except NoSuchTableError:
            self._opened[key] = None
        return self._opened[key]

    def require(self, key: str) -> Snapshot:
        """Return the current version of a table.

        Raises:
            NoSuchTableError: the table does not exist.
        """
        table = self.snapshot(key)
        if table is None:
            raise self._no_such_table(key)
        return table

    def load(self, key: str) -> Snapshot:
        """Open the current version of a table, bypassing the cache.

        The caller may advance the returned snapshot without changing those that the cache has handed out.

        Raises:
            NoSuchTableError: the table does not exist.
            LakeError: S3 does not respond, or the table cannot be read.
        """
        try:
            return Snapshot(key, self._delta(key), self._log(key))
        except TableNotFoundError as error:
            raise self._no_such_table(key) from error
        except (OSError, DeltaError) as error:
            raise self.unreadable(key, error) from error

    def unreadable(self, key: str, error: Exception) -> LakeError:
        """Return the error for a table that cannot be read."""
        return LakeError(
            f"table {self.path(key)} cannot be read from S3 at {self.endpoint_url or 'AWS'}: {_root_cause(error)}; "
            "check that S3 is running (`pin-pipeline status`), or correct PIN_S3_ENDPOINT_URL"
        )

    def ensure_table(
        self, key: str, columns: Sequence[Column], properties: Mapping[str, str], metadata: str
    ) -> Snapshot:
        """Create an empty table, or add the missing columns to an existing one.

        Args:
            key: asset key of the table.
            columns: columns that the table must have.
            properties: table properties, set on creation only.
            metadata: metadata of the commit that creates the table.

        Raises:
            ColumnTypeError: a column has another type than its definition: writing to it could round values.
        """
        fields = delta_schema(columns).fields
        table = self.snapshot(key)
        if table is None:
            self._create(key, fields, properties, metadata)
            return self.require(key)
        existing = {field.name: field.type for field in table.delta.schema().fields}
        for column, declared in zip(columns, fields, strict=True):
            if not _is_same_type(existing.get(column.name, declared.type), declared.type):
                raise ColumnTypeError(
                    f"column {column.name} of {key} is not of type {column.type}, as its definition says: recreate the "
                    "table as docs/guides/evolve-a-schema.md describes"
                )
        missing = [field for field in fields if field.name not in existing]
        if not missing:
            return table
        self._delta(key).alter.add_columns(missing)  # on a separate handle: snapshots do not change
        return self.require(key)

    def _delta(self, key: str) -> DeltaTable:
        return DeltaTable(self._uri(key), storage_options=self._options())

    def _log(self, key: str) -> DeltaLog:
        return DeltaLog(self._files, f"{key}/_delta_log")

    def _create(self, key: str, fields: list[Field], properties: Mapping[str, str], metadata: str) -> None:
        # A retry after a conflict would modify the table that another run has just created.
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

    def overwrite(
        self, key: str, rows: pa.Table, properties: Mapping[str, str] | None = None, metadata: str | None = None
    ) -> None:
        """Replace the rows and the schema of a small table in one commit; create the table if missing.

        Args:
            key: asset key of the table.
            rows: new rows; the table keeps their order, and the comments of their schema.
            properties: table properties, set on creation only.
            metadata: metadata of the commit; None if it is not one of the pipeline's commits that are read again.
        """
        write_deltalake(
            self._uri(key),
            rows.combine_chunks(),  # delta-rs 1.6.6 writes several chunks in any order
            mode="overwrite",
            schema_mode="overwrite",
            configuration=properties,
            commit_properties=None if metadata is None else CommitProperties({"userMetadata": metadata}),
            storage_options=self._options(),
        )

    def vacuum(self, key: str) -> int:
        """Delete the files of a table that no version within its retention needs, and return their number.

        Younger files are kept even if no version has them: a commit that is in progress may add them.
        """
        # A vacuum that is not full misses the files that were replaced before the last checkpoint.
        return len(self._delta(key).vacuum(dry_run=False, full=True))

    def _no_such_table(self, key: str) -> NoSuchTableError:
        return NoSuchTableError(f"table {key!r} does not exist at {self._uri(key)}: materialize {key} first")

    @cached_property
    def _files(self) -> PyFileSystem:
        return PyFileSystem(DeltaStorageHandler(self._uri(""), self._options()))

    def _uri(self, key: str) -> str:
        return f"s3://{self.bucket}/{self.root}/{key}"

    def _options(self) -> dict[str, str]:
        options = {"AWS_REGION": LOCAL_REGION if is_local(self.endpoint_url) else self.region}
        if self.endpoint_url:
            options |= dict.fromkeys(("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3"), self.endpoint_url)
            options["AWS_ALLOW_HTTP"] = str(self.endpoint_url.startswith("http://")).lower()
        if is_local(self.endpoint_url):
            options |= LOCAL_CREDENTIALS
        return {**options, **self.options}


def delta_schema(columns: Sequence[Column]) -> Schema:
    """Return the schema of a table with these columns and their descriptions as comments."""
    return Schema(
        [Field(column.name, _type(column.type), metadata={"comment": column.description}) for column in columns]
    )


def _type(sql: str) -> PrimitiveType | ArrayType:
    if sql.startswith("array<"):
        return ArrayType(_type(sql.removeprefix("array<").removesuffix(">")), contains_null=True)
    return PrimitiveType({"bigint": "long", "int": "integer"}.get(sql, sql))


def _is_same_type(first: DataType, second: DataType) -> bool:
    """Compare two types, but not whether the elements of arrays may be null, which writers state differently."""
    if isinstance(first, ArrayType) and isinstance(second, ArrayType):
        return _is_same_type(first.element_type, second.element_type)
    return first == second


def _root_cause(error: Exception) -> str:
    # Delta prints the chain of causes with the root cause on the last line, after a coloured arrow.
    *_, last = str(error).strip().splitlines() or [repr(error)]
    return last.rpartition("\x1b[0m")[2].strip()
