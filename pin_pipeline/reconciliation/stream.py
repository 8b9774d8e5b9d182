"""Reconciliation of a Kinesis stream with its Delta tables."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from pin_pipeline.aws import clients
from pin_pipeline.reconciliation.errors import ReconciliationError
from pin_pipeline.reconciliation.findings import StreamFindings, StreamPosition
from pin_pipeline.reconciliation.stream_reconciler import StreamRecord, StreamTables, reconcile_stream_records
from pin_pipeline.records import PIN, RECORD_TYPES, RecordType
from pin_pipeline.settings import Settings
from pin_pipeline.storage.lake import Lake

if TYPE_CHECKING:
    from mypy_boto3_kinesis.client import KinesisClient

RETRIES = Config(retries={"mode": "adaptive", "max_attempts": 20})
"""A shard serves five read requests per second, and the streaming jobs read too."""


def reconcile_configured_stream(record_type: RecordType, settings: Settings) -> tuple[str, StreamFindings]:
    """Reconcile the stream that carries a record type; return its name too. See `reconcile_stream`."""
    lake, service = Lake.of(settings), (settings.region, settings.kinesis_endpoint_url)
    if not settings.share_one_stream:
        stream = settings.stream(record_type.name)
        return stream, reconcile_stream(record_type, stream, *service, lake, lambda _: True)
    others = frozenset(RECORD_TYPES) - {record_type.name}
    # A record whose partition key is not a record type counts as a pin.
    has_type = (lambda key: key not in others) if record_type is PIN else (lambda key: key == record_type.name)
    stream = f"{settings.one_stream} ({record_type.name})"
    return stream, reconcile_stream(record_type, settings.one_stream, *service, lake, has_type)


def reconcile_stream(
    record_type: RecordType,
    stream: str,
    region: str,
    endpoint_url: str | None,
    lake: Lake,
    has_type: Callable[[str], bool],
) -> StreamFindings:
    """Reconcile a stream with its tables in the lake; see `reconcile_stream_records`.

    Args:
        has_type: whether records of a partition key are of the record type.

    Raises:
        ReconciliationError: Kinesis or S3 cannot be read.
        UnknownProgressError: a table cannot be read.
    """
    client: KinesisClient = clients.client("kinesis", region, endpoint_url, RETRIES)
    try:
        tables = StreamTables.read(lake, record_type)
        shards = [shard["ShardId"] for shard in _list_shards(client, stream)]
        records = (record for shard in shards for record in _read_shard(client, stream, shard))
        return reconcile_stream_records(record_type, (record for record in records if has_type(record.key)), tables)
    except (BotoCoreError, ClientError) as error:
        raise ReconciliationError(
            f"could not reconcile stream {stream} at {endpoint_url or 'AWS'} with {lake.path('')}: {error!r}; check "
            "that both are up (`pin-pipeline status`)"
        ) from error


def _list_shards(client: KinesisClient, stream: str) -> Iterator[Any]:
    with suppress(client.exceptions.ResourceNotFoundException):  # streams are optional
        for page in client.get_paginator("list_shards").paginate(StreamName=stream):
            yield from page["Shards"]


def _read_shard(client: KinesisClient, stream: str, shard: str) -> Iterator[StreamRecord]:
    """Yield the records of a shard, from the oldest to the newest."""
    iterator: str | None = client.get_shard_iterator(
        StreamName=stream, ShardId=shard, ShardIteratorType="TRIM_HORIZON"
    )["ShardIterator"]
    while iterator:
        response = client.get_records(ShardIterator=iterator)
        for record in response["Records"]:
            position = StreamPosition(shard, int(record["SequenceNumber"]))
            yield StreamRecord(position, record["PartitionKey"], record["Data"])
        iterator = response.get("NextShardIterator") if response["MillisBehindLatest"] else None
