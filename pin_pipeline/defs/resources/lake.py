"""The bucket: landed objects, Delta tables, and the signs of life of the streaming jobs."""

from functools import cached_property
from typing import TYPE_CHECKING

import dagster as dg
from dagster_aws.s3 import S3Resource
from pydantic import Field

from pin_pipeline.storage.lake import Lake
from pin_pipeline.storage.object_store import ObjectStore
from pin_pipeline.streaming.supervision.heartbeat import Heartbeats

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client


class LakeResource(dg.ConfigurableResource["LakeResource"]):
    """The S3 bucket of the lake; credentials are found by boto3, never configured here."""

    s3: dg.ResourceDependency[S3Resource]
    bucket: str = Field(description="Bucket of the landed objects and the Delta tables.")

    def objects(self) -> ObjectStore:
        """The landed objects."""
        return ObjectStore(self._client, self.bucket)

    def tables(self) -> Lake:
        """The Delta tables."""
        return self._tables

    @cached_property
    def _tables(self) -> Lake:
        """One for all steps of a run: what one of them has opened, the others need not open again."""
        meta = self._client.meta
        return Lake(self.bucket, meta.endpoint_url, meta.region_name)

    def heartbeats(self) -> Heartbeats:
        """The signs of life of the streaming jobs."""
        meta = self._client.meta
        return Heartbeats.at(meta.endpoint_url, meta.region_name, self.bucket)

    @cached_property
    def _client(self) -> "S3Client":
        """One for all steps of a run: it takes a quarter of a second to make."""
        client: S3Client = self.s3.get_client()
        return client
