"""The Kinesis streams that posts come by in parallel to the topics."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import dagster as dg
from pydantic import Field

from pin_pipeline.aws.kinesis import KinesisStreams
from pin_pipeline.gateway.kinesis import KinesisProxy
from pin_pipeline.settings import stream_of


class KinesisResource(dg.ConfigurableResource["KinesisResource"]):
    """Kinesis: creates, describes and fills the streams, and tells how far their readers are behind."""

    prefix: str = Field(description="Streams are called streaming-{prefix}-pin, -geo and -user.")
    region: str = Field(description="AWS region of the streams.")
    endpoint_url: str | None = Field(default=None, description="Where the service is; by default where AWS has it.")

    def stream(self, record_type: str) -> str:
        """The stream of a record kind."""
        return stream_of(self.prefix, record_type)

    def streams(self) -> KinesisStreams:
        """The service as it is managed."""
        return KinesisStreams(self.region, self.endpoint_url)

    def put(self, stream: str, records: Sequence[Mapping[str, object]]) -> dict[str, Any]:
        """Put records by PutRecords; those that are refused alone are put again, and no others.

        Returns:
            What became of each record, in order, and how many failed for good, as the service words it.
        """
        service = KinesisProxy(self.endpoint_url, self.region)
        try:
            return asyncio.run(service.put_records(stream, records))
        finally:
            service.close()
