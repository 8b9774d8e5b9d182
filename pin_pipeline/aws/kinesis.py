"""Administration of Kinesis streams: creation, description, and the lag of their readers."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING

from pin_pipeline.aws import clients
from pin_pipeline.aws.errors import translate_errors

if TYPE_CHECKING:
    from mypy_boto3_cloudwatch.client import CloudWatchClient
    from mypy_boto3_kinesis.client import KinesisClient
    from mypy_boto3_kinesis.type_defs import StreamDescriptionSummaryTypeDef

RECENT = timedelta(minutes=5)
"""Period of the metric that `iterator_age` covers."""


@dataclass(frozen=True)
class KinesisStreams:
    """The streams of a region. Every method raises AwsError if the service refuses or does not respond.

    Attributes:
        endpoint_url: Kinesis endpoint; None for AWS.
    """

    region: str
    endpoint_url: str | None = None

    @cached_property
    def _client(self) -> KinesisClient:
        client: KinesisClient = clients.client("kinesis", self.region, self.endpoint_url)
        return client

    def create(self, stream: str, shards: int) -> bool:
        """Create a stream and wait until it accepts records. Return False if it exists already."""
        with translate_errors(f"create Kinesis stream {stream}"):
            try:
                self._client.create_stream(StreamName=stream, ShardCount=shards)
            except self._client.exceptions.ResourceInUseException:
                return False
            self._client.get_waiter("stream_exists").wait(StreamName=stream)
            return True

    def describe(self, stream: str) -> StreamDescriptionSummaryTypeDef:
        """Return a stream's status, number of open shards and retention period, as the service returns them."""
        with translate_errors(f"describe Kinesis stream {stream}"):
            return self._client.describe_stream_summary(StreamName=stream)["StreamDescriptionSummary"]

    def iterator_age(self, stream: str) -> timedelta | None:
        """Return the highest lag of the slowest reader within `RECENT`, or None if no reader was active.

        The lag is CloudWatch's metric GetRecords.IteratorAgeMilliseconds.
        """
        now = datetime.now(UTC)
        with translate_errors(f"read the iterator age of Kinesis stream {stream} from CloudWatch"):
            client: CloudWatchClient = clients.client("cloudwatch", self.region)
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


def stream_name(prefix: str, record_type: str) -> str:
    """Return the Kinesis stream of a record type."""
    return f"streaming-{prefix}-{record_type}"
