"""The bucket: landed objects and Delta tables."""

import dagster as dg
from dagster_aws.s3 import S3Resource
from pydantic import Field

from pin_pipeline.lakehouse.lake import Lake
from pin_pipeline.landing.store import ObjectStore


class LakeResource(dg.ConfigurableResource["LakeResource"]):
    """The S3 bucket of the lake; credentials are found by boto3, never configured here."""

    s3: dg.ResourceDependency[S3Resource]
    bucket: str = Field(description="Bucket of the landed objects and the Delta tables.")

    def objects(self) -> ObjectStore:
        """The landed objects."""
        return ObjectStore(self.s3.get_client(), self.bucket)

    def tables(self) -> Lake:
        """The Delta tables."""
        client = self.s3.get_client()
        return Lake(self.bucket, client.meta.endpoint_url, client.meta.region_name)
