"""Cluster specifications of batch runs and streaming jobs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from databricks.sdk.service.compute import AutoScale, AwsAttributes, ClusterSpec, DataSecurityMode, Library
from databricks.sdk.service.jobs import PythonWheelTask

from pin_pipeline.settings import DatabricksSettings
from pin_pipeline.spark.conf import RESULT_CONF

PACKAGE = "pin_pipeline"
STREAMING_PARTITIONS = 4
"""Few: a streaming query keeps one state store per shuffle partition and commits all of them with every micro-batch."""


@dataclass(frozen=True)
class Clusters:
    """Job clusters, which are created for one run.

    Attributes:
        wheel: path of the project's wheel, s3://... or /Volumes/...
        spark_version: version of the Databricks Runtime.
        node_type: EC2 instance type of the nodes.
        instance_profile: ARN of the instance profile of the nodes.
        max_workers: maximum number of workers of a batch run, which starts with one and scales up.
        streaming_workers: fixed number of workers of a streaming job, whose load never ends.
    """

    wheel: str
    spark_version: str
    node_type: str
    instance_profile: str
    max_workers: int = 4
    streaming_workers: int = 1

    @classmethod
    def of(cls, settings: DatabricksSettings) -> Clusters:
        """Return the clusters that the settings describe.

        Raises:
            SettingError: the wheel or the instance profile is not set.
        """
        wheel, profile = settings.required("wheel"), settings.required("instance_profile")
        return cls(wheel, settings.runtime, settings.node_type, profile)

    def for_batch(self) -> ClusterSpec:
        """Return the cluster of a batch run."""
        cluster = self._cluster(RESULT_CONF)
        cluster.autoscale = AutoScale(min_workers=1, max_workers=self.max_workers)
        return cluster

    def for_streams(self, variables: Mapping[str, str]) -> ClusterSpec:
        """Return the cluster of a streaming job, with these environment variables."""
        cluster = self._cluster(RESULT_CONF | {"spark.sql.shuffle.partitions": str(STREAMING_PARTITIONS)})
        cluster.num_workers = self.streaming_workers
        cluster.spark_env_vars = dict(variables)
        return cluster

    def libraries(self) -> list[Library]:
        """Return the libraries to install on the nodes."""
        return [Library(whl=self.wheel)]

    def _cluster(self, conf: Mapping[str, str]) -> ClusterSpec:
        return ClusterSpec(
            spark_version=self.spark_version,
            node_type_id=self.node_type,
            aws_attributes=AwsAttributes(instance_profile_arn=self.instance_profile),
            # One Spark session per table, and Unity Catalog, require the single-user access mode.
            data_security_mode=DataSecurityMode.SINGLE_USER,
            spark_conf=dict(conf),
        )


def entry_point(name: str, *parameters: str) -> PythonWheelTask:
    """Return the task that calls an entry point of the wheel."""
    return PythonWheelTask(package_name=PACKAGE, entry_point=name, parameters=list(parameters))
