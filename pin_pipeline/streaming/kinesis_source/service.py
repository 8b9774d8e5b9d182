"""The service as the source reads it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any, NoReturn, ParamSpec, TypeVar

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from pin_pipeline.streaming.kinesis_source.position import ShardPosition

if TYPE_CHECKING:
    from mypy_boto3_kinesis.client import KinesisClient
    from mypy_boto3_kinesis.type_defs import RecordTypeDef

# The client itself tries again, later and later, what was throttled or did not arrive.
CLIENT = Config(connect_timeout=5, read_timeout=15, retries={"mode": "standard", "total_max_attempts": 8})

P = ParamSpec("P")
Answer = TypeVar("Answer")


class KinesisSourceError(Exception):
    """A stream cannot be read; says what was tried, where, and what to do."""


@dataclass(frozen=True)
class Shard:
    """A shard that the stream has."""

    id: str
    parents: frozenset[str]


@dataclass(frozen=True)
class Fetched:
    """What a shard answered.

    Attributes:
        records: as the client gives them.
        next_iterator: where it goes on; None where a closed shard has ended.
        behind: how far that is behind the latest record, in milliseconds.
    """

    records: Sequence[RecordTypeDef]
    next_iterator: str | None
    behind: int


@dataclass(frozen=True)
class KinesisStream:
    """One stream; every method raises StreamError where the service refuses or does not answer."""

    stream: str
    region: str | None
    endpoint_url: str | None

    @cached_property
    def client(self) -> KinesisClient:
        """Made late, because it cannot be sent to another process."""
        import boto3  # noqa: PLC0415 - Spark starts three processes for a query, of which one reads

        client: KinesisClient = boto3.client(
            "kinesis", region_name=self.region, endpoint_url=self.endpoint_url, config=CLIENT
        )
        return client

    def __reduce__(self) -> tuple[Any, ...]:
        """Where and what, without the connection."""
        return KinesisStream, (self.stream, self.region, self.endpoint_url)

    def created(self) -> tuple[int, int]:
        """When the stream was created, and for how long it keeps its records, in milliseconds."""
        answer = self._call(self.client.describe_stream_summary, StreamName=self.stream)["StreamDescriptionSummary"]
        return milliseconds(answer["StreamCreationTimestamp"]), int(answer["RetentionPeriodHours"] * 3_600_000)

    def shards(self) -> list[Shard]:
        """The shards that the stream still has, open and closed, parents first."""
        found: list[Any] = []
        answer = self._call(self.client.list_shards, StreamName=self.stream)
        while True:
            found += answer["Shards"]
            if "NextToken" not in answer:
                break
            answer = self._call(self.client.list_shards, NextToken=answer["NextToken"])
        parents = ("ParentShardId", "AdjacentParentShardId")
        return [Shard(shard["ShardId"], frozenset(shard[name] for name in parents if name in shard)) for shard in found]

    def iterator(self, shard: str, position: ShardPosition) -> str:
        """An iterator from a position on."""
        where: dict[str, Any] = {"ShardIteratorType": "TRIM_HORIZON"}
        if position.after is not None:
            where = {"ShardIteratorType": "AFTER_SEQUENCE_NUMBER", "StartingSequenceNumber": position.after}
        elif position.at is not None:
            where = {"ShardIteratorType": "AT_TIMESTAMP", "Timestamp": datetime.fromtimestamp(position.at / 1000, UTC)}
        answer = self._call(self.client.get_shard_iterator, StreamName=self.stream, ShardId=shard, **where)
        return str(answer["ShardIterator"])

    def fetch(self, shard: str, position: ShardPosition, iterator: str | None, limit: int) -> Fetched:
        """The next records of a shard, by an iterator where there is one that has not expired, else from a position."""
        try:
            if iterator is not None:
                return self._fetch(iterator, limit)
        except self.client.exceptions.ExpiredIteratorException:
            pass
        try:
            return self._fetch(self.iterator(shard, position), limit)
        except self.client.exceptions.ExpiredIteratorException as error:
            self._fail("get_records", error)

    def _fetch(self, iterator: str, limit: int) -> Fetched:
        answer = self._call(self.client.get_records, ShardIterator=iterator, Limit=limit)
        return Fetched(answer["Records"], answer.get("NextShardIterator"), answer["MillisBehindLatest"])

    def _call(self, method: Callable[P, Answer], *arguments: P.args, **parameters: P.kwargs) -> Answer:
        try:
            return method(*arguments, **parameters)
        except self.client.exceptions.ExpiredIteratorException:
            raise
        except (ClientError, BotoCoreError) as error:
            self._fail(method.__name__, error)

    def _fail(self, action: str, error: Exception) -> NoReturn:
        where = self.client.meta.endpoint_url
        raise KinesisSourceError(
            f"Kinesis did not do {action} for stream {self.stream} at {where}: {error}; check that the stream is "
            "there, that the service is reached, and that the credentials may read it"
        ) from error


def milliseconds(moment: datetime) -> int:
    """Epoch milliseconds."""
    return round(moment.timestamp() * 1000)
