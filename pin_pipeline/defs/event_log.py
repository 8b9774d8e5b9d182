"""Local storage of Dagster's runs and events, which keeps its files open while a run writes its events.

The files are those of Dagster's default storage: an instance can switch between the two at any time.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import groupby
from operator import attrgetter
from pathlib import Path
from typing import Any

from dagster import EventLogEntry
from dagster._core.storage.event_log.sqlite import sqlite_event_log
from dagster._core.storage.event_log.sqlite.sqlite_event_log import INDEX_SHARD_NAME, SqliteEventLogStorage
from dagster._core.storage.runs.sqlite import sqlite_run_storage
from dagster._core.storage.schedules.sqlite import sqlite_schedule_storage
from dagster._core.storage.sqlite import SQLITE_BUSY_TIMEOUT_SECONDS, create_db_conn_string
from dagster._core.storage.sqlite_storage import DagsterSqliteStorage
from dagster._serdes import ConfigurableClassData
from sqlalchemy import URL, Connection, Engine, create_engine
from sqlalchemy.event import listen


def _sqlite_url(base_dir: str, db_name: str) -> str:
    return URL.create("sqlite", database=str(Path(base_dir, f"{db_name}.db").absolute())).render_as_string()


# Dagster's function does not escape the path: a home whose path contains `?` or `%20` would be another one.
for module in (sqlite_event_log, sqlite_run_storage, sqlite_schedule_storage):
    setattr(module, create_db_conn_string.__name__, _sqlite_url)


class OpenEventLog(SqliteEventLogStorage):
    """Event log in SQLite files that are not opened and closed again for every statement.

    Dagster's own class creates an SQLAlchemy engine for each of the 1,500 connections of a daily batch. Each engine
    compiles its SQL again, opens the file, and removes its write-ahead log when it is closed. Here, the files of the
    index and of one run stay open, and each event, or batch of events, is stored in one transaction per file.
    """

    def __init__(self, base_dir: str) -> None:
        self._engines: dict[str, Engine] = {}
        self._transactions: dict[str, Connection] = {}
        self._found: set[str] = set()
        self._one_thread = threading.RLock()
        super().__init__(base_dir)

    @contextmanager
    def _connect(self, shard: str) -> Iterator[Connection]:
        """Yield a connection in a transaction; within a block for the same file, yield the connection of that block."""
        with self._one_thread:
            if shard in self._transactions:
                yield self._transactions[shard]
                return
            engine = self._engine(shard)
            if shard not in self._initialized_dbs:
                self._initdb(engine)
                self._initialized_dbs.add(shard)
            with engine.begin() as connection:
                self._transactions[shard] = connection
                try:
                    yield connection
                finally:
                    del self._transactions[shard]

    def store_event(self, event: EventLogEntry) -> None:
        """Store an event in one transaction per file."""
        self.store_event_batch([event])

    def store_event_batch(self, events: Sequence[EventLogEntry]) -> None:
        """Store events in one transaction per file."""
        for run_id, of_run in groupby(events, attrgetter("run_id")):
            with self._connect(INDEX_SHARD_NAME), self._connect(run_id):
                for event in of_run:
                    super().store_event(event)
            # The UI watches this file, but SQLite writes to its write-ahead log as long as it is open.
            os.utime(self.path_for_shard(run_id))

    def has_table(self, table_name: str) -> bool:
        """Return whether the index has a table; nothing drops one."""
        return self._exists(table_name, lambda: super(OpenEventLog, self).has_table(table_name))

    def _has_asset_key_col_on_connection(self, conn: Connection, column_name: str) -> bool:
        """Return whether the table of assets has a column; nothing drops one."""
        return self._exists(
            column_name, lambda: super(OpenEventLog, self)._has_asset_key_col_on_connection(conn, column_name)
        )

    def _exists(self, name: str, examine: Callable[[], bool]) -> bool:
        if name not in self._found and examine():
            self._found.add(name)
        return name in self._found

    def _engine(self, shard: str) -> Engine:
        """Return the engine of a shard, and close the file of the run that was used before, if it is another run."""
        if shard not in self._engines:
            for other in self._engines.keys() - {INDEX_SHARD_NAME}:
                self._engines.pop(other).dispose()
            timeout = {"timeout": SQLITE_BUSY_TIMEOUT_SECONDS}
            self._engines[shard] = create_engine(self.conn_string_for_shard(shard), connect_args=timeout)
            listen(self._engines[shard], "connect", _commit_without_waiting_for_the_disk)
        return self._engines[shard]

    def dispose(self) -> None:
        """Close the files."""
        for engine in self._engines.values():
            engine.dispose()
        super().dispose()


def _commit_without_waiting_for_the_disk(connection: sqlite3.Connection, _: object) -> None:
    """Let a power failure undo the last events, but never damage a file; the end of a process undoes nothing."""
    connection.execute("PRAGMA synchronous = NORMAL")


class OpenSqliteStorage(DagsterSqliteStorage):
    """Dagster's default storage with an `OpenEventLog`."""

    def __init__(self, base_dir: str, inst_data: ConfigurableClassData | None = None) -> None:
        super().__init__(base_dir, inst_data)
        self._event_log_storage = OpenEventLog(str(Path(base_dir, "history", "runs")))

    @classmethod
    def from_config_value(
        cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]
    ) -> OpenSqliteStorage:
        """Create the storage from `dagster.yaml`."""
        return cls.from_local(config_value["base_dir"], inst_data)
