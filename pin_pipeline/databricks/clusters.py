"""What the clusters are like that Databricks starts for the pipeline."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from databricks.sdk.service.compute import AutoScale, AwsAttributes, ClusterSpec, DataSecurityMode, Library
from databricks.sdk.service.jobs import PythonWheelTask

from pin_pipeline.spark.session import RESULTS

PACKAGE = "pin_pipeline"
# A streaming query keeps a state for each partition, and commits all of them with every micro-batch.
STREAMING_PARTITIONS = 4


@dataclass(frozen=True)
class Clusters:
    """Clusters that live as long as a run.

    Attributes:
        wheel: where the project's wheel is, s3:// or /Volumes/...
        spark_version: of the Databricks Runtime.
        instance_profile: ARN of the role that the machines have on AWS.
        most_workers: of a batch run, which begins with one and gets more while there is work for them.
        streaming_workers: of a streaming job; so many all the time, as its load has no end to wait for.
    """

    wheel: str
    spark_version: str
    node_type: str
    instance_profile: str
    most_workers: int
    streaming_workers: int

    def for_batch(self) -> ClusterSpec:
        """The cluster of a batch run."""
        cluster = self._cluster(RESULTS)
        cluster.autoscale = AutoScale(min_workers=1, max_workers=self.most_workers)
        return cluster

    def for_streams(self, variables: Mapping[str, str]) -> ClusterSpec:
        """The cluster of a streaming job, which finds these variables in its environment."""
        cluster = self._cluster(RESULTS | {"spark.sql.shuffle.partitions": str(STREAMING_PARTITIONS)})
        cluster.num_workers = self.streaming_workers
        cluster.spark_env_vars = dict(variables)
        return cluster

    def libraries(self) -> list[Library]:
        """What is installed on the machines."""
        return [Library(whl=self.wheel)]

    def _cluster(self, conf: Mapping[str, str]) -> ClusterSpec:
        return ClusterSpec(
            spark_version=self.spark_version,
            node_type_id=self.node_type,
            aws_attributes=AwsAttributes(instance_profile_arn=self.instance_profile),
            # A session of its own for each table, and names in Unity Catalog, are for clusters of one user only.
            data_security_mode=DataSecurityMode.SINGLE_USER,
            spark_conf=dict(conf),
        )


def entry_point(name: str, *parameters: str) -> PythonWheelTask:
    """The call of an entry point of the wheel."""
    return PythonWheelTask(package_name=PACKAGE, entry_point=name, parameters=list(parameters))
