"""Client of the Kinesis service: reads one stream."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any, NoReturn, ParamSpec, TypeVar

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from pin_pipeline.aws import clients
from pin_pipeline.errors import PipelineError
from pin_pipeline.streaming.kinesis_source.position import ShardPosition

if TYPE_CHECKING:
    from mypy_boto3_kinesis.client import KinesisClient
    from mypy_boto3_kinesis.type_defs import RecordTypeDef

CLIENT_CONFIG = Config(connect_timeout=5, read_timeout=15, retries={"mode": "standard", "total_max_attempts": 8})
"""boto3 retries throttled and failed requests with exponential backoff."""

P = ParamSpec("P")
Response = TypeVar("Response")


class KinesisSourceError(PipelineError):
    """Raised when a stream cannot be read, or when reading on would lose records."""


@dataclass(frozen=True)
class Shard:
    """Shard of a stream, open or closed, and the shards that it was split or merged from."""

    id: str
    parents: frozenset[str]


@dataclass(frozen=True)
class FetchedRecords:
    """Response to a request for records.

    Attributes:
        records: records as boto3 returns them.
        next_iterator: iterator of the next records; None at the end of a closed shard.
        behind: time by which the response is behind the latest record, in milliseconds.
    """

    records: Sequence[RecordTypeDef]
    next_iterator: str | None
    behind: int


@dataclass(frozen=True)
class KinesisStream:
    """Client of one stream. Every method raises KinesisSourceError when Kinesis refuses or does not respond."""

    stream: str
    region: str | None
    endpoint_url: str | None

    @cached_property
    def client(self) -> KinesisClient:
        """boto3 client, created lazily because it cannot be pickled."""
        client: KinesisClient = clients.client("kinesis", self.region, self.endpoint_url, CLIENT_CONFIG)
        return client

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle the stream without the client."""
        return KinesisStream, (self.stream, self.region, self.endpoint_url)

    def describe(self) -> tuple[int, int]:
        """Return the creation time in epoch milliseconds, and the retention period of records in milliseconds."""
        response = self._call(self.client.describe_stream_summary, StreamName=self.stream)
        summary = response["StreamDescriptionSummary"]
        return epoch_milliseconds(summary["StreamCreationTimestamp"]), int(summary["RetentionPeriodHours"] * 3_600_000)

    def shards(self) -> list[Shard]:
        """List the shards that still exist, open and closed, parents first."""
        found: list[Any] = []
        response = self._call(self.client.list_shards, StreamName=self.stream)
        while True:
            found += response["Shards"]
            if "NextToken" not in response:
                break
            response = self._call(self.client.list_shards, NextToken=response["NextToken"])
        parents = ("ParentShardId", "AdjacentParentShardId")
        return [Shard(shard["ShardId"], frozenset(shard[name] for name in parents if name in shard)) for shard in found]

    def iterator(self, shard: str, position: ShardPosition) -> str:
        """Return an iterator that starts at a position."""
        start: dict[str, Any] = {"ShardIteratorType": "TRIM_HORIZON"}
        if position.after is not None:
            start = {"ShardIteratorType": "AFTER_SEQUENCE_NUMBER", "StartingSequenceNumber": position.after}
        elif position.at is not None:
            start = {"ShardIteratorType": "AT_TIMESTAMP", "Timestamp": datetime.fromtimestamp(position.at / 1000, UTC)}
        response = self._call(self.client.get_shard_iterator, StreamName=self.stream, ShardId=shard, **start)
        return str(response["ShardIterator"])

    def fetch(self, shard: str, position: ShardPosition, iterator: str | None, limit: int) -> FetchedRecords:
        """Fetch the next records of a shard.

        Args:
            position: where to start if there is no iterator, or if it has expired.
            iterator: iterator of an earlier response.
            limit: maximum number of records.
        """
        try:
            if iterator is not None:
                return self._get_records(iterator, limit)
        except self.client.exceptions.ExpiredIteratorException:
            pass
        try:
            return self._get_records(self.iterator(shard, position), limit)
        except self.client.exceptions.ExpiredIteratorException as error:
            self._fail("get_records", error)

    def _get_records(self, iterator: str, limit: int) -> FetchedRecords:
        response = self._call(self.client.get_records, ShardIterator=iterator, Limit=limit)
        return FetchedRecords(response["Records"], response.get("NextShardIterator"), response["MillisBehindLatest"])

    def _call(self, method: Callable[P, Response], *arguments: P.args, **parameters: P.kwargs) -> Response:
        try:
            return method(*arguments, **parameters)
        except self.client.exceptions.ExpiredIteratorException:
            raise
        except (ClientError, BotoCoreError) as error:
            self._fail(method.__name__, error)

    def _fail(self, operation: str, error: Exception) -> NoReturn:
        endpoint = self.client.meta.endpoint_url
        raise KinesisSourceError(
            f"Kinesis {operation} failed for stream {self.stream!r} at {endpoint}: {error}; check that the stream "
            "exists, that Kinesis is reachable and that the credentials may read the stream"
        ) from error


def epoch_milliseconds(time: datetime) -> int:
    """Return a time in epoch milliseconds."""
    return round(time.timestamp() * 1000)
