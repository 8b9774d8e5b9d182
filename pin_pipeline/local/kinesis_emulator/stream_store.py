"""Stream store: streams, shards and records in one SQLite file. Acknowledged records survive SIGKILL."""

from __future__ import annotations

import hashlib
import sqlite3
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pin_pipeline.local.kinesis_emulator.errors import KinesisRequestError, not_found
from pin_pipeline.local.kinesis_emulator.sequence_number import SequenceNumber

HASH_KEYS = 2**128
SHARD_ID = "shardId-{:012d}"

SCHEMA = """
create table if not exists stream (
    id integer primary key autoincrement,
    name text not null unique,
    created integer not null,
    retention_hours integer not null,
    next_number integer not null default 1
);
create table if not exists shard (
    stream integer not null references stream on delete cascade,
    number integer not null,
    created integer not null,
    first_hash_key text not null,
    last_hash_key text not null,
    parent integer,
    adjacent_parent integer,
    first_number integer not null,
    last_number integer,
    closed integer,
    primary key (stream, number)
) without rowid;
create table if not exists tag (
    stream integer not null references stream on delete cascade,
    key text not null,
    value text not null,
    primary key (stream, key)
) without rowid;
create table if not exists record (
    stream integer not null references stream on delete cascade,
    shard integer not null,
    number integer not null,
    arrived integer not null,
    partition_key text not null,
    data text not null,
    primary key (stream, shard, number)
) without rowid;
"""


@dataclass(frozen=True)
class StoredStream:
    """A stream; times are in epoch milliseconds."""

    id: int
    name: str
    created: int
    retention_hours: int
    next_number: int


@dataclass(frozen=True)
class StoredShard:
    """A shard; times are in epoch milliseconds.

    Attributes:
        stream: id of its stream.
        number: number in its stream.
        parent: number of the shard that it was split or merged from, if any.
        adjacent_parent: number of the second shard that it was merged from, if any.
        first_number: lowest record number that it can contain.
        last_number: highest record number that it can contain; None while it is open.
        closed: when it was split or merged; None while it is open.
    """

    stream: int
    number: int
    created: int
    first_hash_key: int
    last_hash_key: int
    parent: int | None = None
    adjacent_parent: int | None = None
    first_number: int = 0
    last_number: int | None = None
    closed: int | None = None

    @property
    def id(self) -> str:
        """The shard id that clients use."""
        return SHARD_ID.format(self.number)

    def sequence_number(self, number: int) -> str:
        """Return the sequence number of a record of this shard."""
        return str(SequenceNumber(self.created, number, self.number))


@dataclass(frozen=True)
class StoredRecord:
    """A record; `data` is base64, as it was received."""

    number: int
    arrived: int
    partition_key: str
    data: str


class StreamStore:
    """The streams in a SQLite file, which is created if missing."""

    def __init__(self, path: Path) -> None:
        self._file = sqlite3.connect(path, isolation_level=None)
        self._file.execute("pragma journal_mode = wal")
        # SIGKILL of this process loses nothing; a power failure may lose the last commits.
        self._file.execute("pragma synchronous = normal")
        self._file.execute("pragma foreign_keys = on")
        self._file.executescript(SCHEMA)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Commit the changes of the block, or roll all of them back if it raises."""
        self._file.execute("begin immediate")
        try:
            yield
        except BaseException:
            self._file.execute("rollback")
            raise
        self._file.execute("commit")

    def streams(self) -> list[StoredStream]:
        """Return all streams, sorted by name."""
        return [StoredStream(*row) for row in self._file.execute("select * from stream order by name")]

    def stream(self, name: str) -> StoredStream:
        """Return a stream by name.

        Raises:
            KinesisRequestError: it does not exist.
        """
        row = self._file.execute("select * from stream where name = ?", (name,)).fetchone()
        if row is None:
            raise not_found(f"Stream {name} not found.")
        return StoredStream(*row)

    def create(self, name: str, shards: int, retention_hours: int) -> None:
        """Create a stream whose shards have equal ranges of hash keys.

        Raises:
            KinesisRequestError: a stream of this name exists.
        """
        if any(stream.name == name for stream in self.streams()):
            raise KinesisRequestError("ResourceInUseException", f"Stream {name} already exists.")
        now = epoch_milliseconds()
        with self.transaction():
            cursor = self._file.execute(
                "insert into stream (name, created, retention_hours) values (?, ?, ?)", (name, now, retention_hours)
            )
            bounds = [HASH_KEYS * number // shards for number in range(shards + 1)]
            for number in range(shards):
                low, high = bounds[number], bounds[number + 1] - 1
                self._add_shard(StoredShard(cursor.lastrowid or 0, number, now, low, high))

    def delete(self, stream: StoredStream) -> None:
        """Delete a stream and its records."""
        self._file.execute("delete from stream where id = ?", (stream.id,))

    def set_retention(self, stream: StoredStream, hours: int) -> None:
        """Set the retention period of a stream."""
        self._file.execute("update stream set retention_hours = ? where id = ?", (hours, stream.id))

    def tags(self, stream: StoredStream) -> dict[str, str]:
        """Return the tags of a stream, sorted by key."""
        return dict(self._file.execute("select key, value from tag where stream = ? order by key", (stream.id,)))

    def set_tags(self, stream: StoredStream, tags: Mapping[str, str]) -> None:
        """Replace all tags of a stream."""
        with self.transaction():
            self._file.execute("delete from tag where stream = ?", (stream.id,))
            self._file.executemany("insert into tag values (?, ?, ?)", [(stream.id, *tag) for tag in tags.items()])

    def shards(self, stream: StoredStream) -> list[StoredShard]:
        """Return all shards of a stream, open and closed, in the order of their numbers."""
        rows = self._file.execute("select * from shard where stream = ? order by number", (stream.id,))
        return [
            StoredShard(stream_id, number, created, int(first), int(last), *rest)
            for stream_id, number, created, first, last, *rest in rows
        ]

    def put(self, stream: StoredStream, records: Sequence[tuple[StoredShard, str, str]]) -> list[int]:
        """Append records and return their numbers.

        Args:
            stream: the stream.
            records: open shard, partition key and base64 data of each record.
        """
        now, first = epoch_milliseconds(), stream.next_number
        rows = [
            (stream.id, shard.number, number, now, key, data)
            for number, (shard, key, data) in enumerate(records, first)
        ]
        with self.transaction():
            self._file.executemany("insert into record values (?, ?, ?, ?, ?, ?)", rows)
            self._file.execute("update stream set next_number = ? where id = ?", (first + len(rows), stream.id))
        return list(range(first, first + len(rows)))

    def records(self, shard: StoredShard, first: int, oldest: int, limit: int) -> list[StoredRecord]:
        """Return the records of a shard with at least the number `first` that arrived at `oldest` or later."""
        rows = self._file.execute(
            "select number, arrived, partition_key, data from record"
            " where stream = ? and shard = ? and number >= ? and arrived >= ? order by number limit ?",
            (shard.stream, shard.number, first, oldest, limit),
        )
        return [StoredRecord(*row) for row in rows]

    def number_at(self, shard: StoredShard, moment: int) -> int | None:
        """Return the number of the first record that arrived at this time or later, if any."""
        found = self.records(shard, 0, moment, 1)
        return found[0].number if found else None

    def reshard(self, stream: StoredStream, parents: Sequence[StoredShard], ranges: Sequence[tuple[int, int]]) -> None:
        """Close the parents, and open one child per range of hash keys; records stay in the parents."""
        now = epoch_milliseconds()
        parent, adjacent = (*(shard.number for shard in parents), None)[:2]
        created = max(now, *(shard.created + 1 for shard in parents))
        first = len(self.shards(stream))
        with self.transaction():
            for shard in parents:
                self._file.execute(
                    "update shard set last_number = ?, closed = ? where stream = ? and number = ?",
                    (stream.next_number - 1, now, stream.id, shard.number),
                )
            for number, (low, high) in enumerate(ranges, first):
                self._add_shard(
                    StoredShard(stream.id, number, created, low, high, parent, adjacent, stream.next_number)
                )

    def expire(self, stream: StoredStream, oldest: int) -> None:
        """Delete records that arrived before `oldest`, and shards that were closed before it."""
        for shard in self.shards(stream):
            first_kept = self.number_at(shard, oldest)
            self._file.execute(
                "delete from record where stream = ? and shard = ? and number < ?",
                (stream.id, shard.number, stream.next_number if first_kept is None else first_kept),
            )
            if shard.closed is not None and shard.closed < oldest:
                self._file.execute("delete from shard where stream = ? and number = ?", (stream.id, shard.number))

    def _add_shard(self, shard: StoredShard) -> None:
        row = vars(shard) | {"first_hash_key": str(shard.first_hash_key), "last_hash_key": str(shard.last_hash_key)}
        self._file.execute(
            "insert into shard values (:stream, :number, :created, :first_hash_key, :last_hash_key, :parent,"
            " :adjacent_parent, :first_number, :last_number, :closed)",
            row,
        )


def hash_key(partition_key: str) -> int:
    """Return the MD5 of a partition key as a number: it decides which shard a record goes to."""
    return int.from_bytes(hashlib.md5(partition_key.encode(), usedforsecurity=False).digest())


def epoch_milliseconds() -> int:
    """Return the current time in the unit of all stored times."""
    return time.time_ns() // 1_000_000
