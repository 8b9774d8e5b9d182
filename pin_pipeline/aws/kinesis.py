"""Kinesis streams as they are managed: made, described, and watched for readers that fall behind."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING

import boto3

from pin_pipeline.aws.errors import asking

if TYPE_CHECKING:
    from mypy_boto3_cloudwatch.client import CloudWatchClient
    from mypy_boto3_kinesis.client import KinesisClient
    from mypy_boto3_kinesis.type_defs import StreamDescriptionSummaryTypeDef

RECENT = timedelta(minutes=5)


@dataclass(frozen=True)
class KinesisStreams:
    """The streams of a region; every method raises AwsError where AWS refuses or does not answer.

    Attributes:
        endpoint_url: where the service is; None for AWS's own.
    """

    region: str
    endpoint_url: str | None = None

    @cached_property
    def _client(self) -> KinesisClient:
        client: KinesisClient = boto3.client("kinesis", region_name=self.region, endpoint_url=self.endpoint_url)
        return client

    def create(self, stream: str, shards: int) -> bool:
        """Create a stream, and return when records can be put; False where it is there already."""
        with asking(f"create Kinesis stream {stream}"):
            try:
                self._client.create_stream(StreamName=stream, ShardCount=shards)
            except self._client.exceptions.ResourceInUseException:
                return False
            self._client.get_waiter("stream_exists").wait(StreamName=stream)
            return True

    def describe(self, stream: str) -> StreamDescriptionSummaryTypeDef:
        """A stream's status, open shards and retention, as the service words them."""
        with asking(f"describe Kinesis stream {stream}"):
            return self._client.describe_stream_summary(StreamName=stream)["StreamDescriptionSummary"]

    def iterator_age(self, stream: str) -> timedelta | None:
        """How far the slowest reader was behind at most in the last minutes; None where nobody read.

        It is CloudWatch's metric GetRecords.IteratorAgeMilliseconds.
        """
        now = datetime.now(UTC)
        with asking(f"read the iterator age of Kinesis stream {stream} from CloudWatch"):
            client: CloudWatchClient = boto3.client("cloudwatch", region_name=self.region)
            points = client.get_metric_statistics(
                Namespace="AWS/Kinesis",
                MetricName="GetRecords.IteratorAgeMilliseconds",
                Dimensions=[{"Name": "StreamName", "Value": stream}],
                StartTime=now - RECENT,
                EndTime=now,
                Period=60,
                Statistics=["Maximum"],
            )["Datapoints"]
        return max((timedelta(milliseconds=point["Maximum"]) for point in points), default=None)
