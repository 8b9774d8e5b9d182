"""Where Spark works on the lake: in the process of the run on a laptop, on Databricks on AWS."""

import fcntl
import threading
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import dagster as dg
from dagster_pyspark import LazyPySparkResource
from pydantic import Field, PrivateAttr
from pyspark.sql import SparkSession

from pin_pipeline.batch.tasks import BatchTask
from pin_pipeline.defs.resources.lake import LakeResource
from pin_pipeline.local import jars
from pin_pipeline.reports import Report
from pin_pipeline.spark.session import spark_conf


class SparkResource(dg.ConfigurableResource["SparkResource"], ABC):
    """Does the work that needs Spark, wherever that runs."""

    @abstractmethod
    def run(self, context: dg.AssetExecutionContext, work: BatchTask, lake: LakeResource) -> Iterator[Report]:
        """Do the work on the lake, and report of each table as soon as it is done."""


class LocalSparkResource(SparkResource):
    """Spark in the process of the run, started by the first table that has something new."""

    home: str = Field(description="Folder of the local state; holds the lock of the one Spark driver.")
    s3_endpoint_url: str | None = Field(description="Where Spark finds S3; by default where AWS has it.")
    region: str = Field(description="AWS region of the bucket.")
    _starting: threading.Lock = PrivateAttr(default_factory=threading.Lock)

    def run(self, context: dg.AssetExecutionContext, work: BatchTask, lake: LakeResource) -> Iterator[Report]:
        """Do the work on the lake, and report of each table as soon as it is done."""
        with self._only_driver(context.log):
            yield from work.run(self.session, lake.tables(), lake.objects())

    def session(self) -> SparkSession:
        """The session of this process, started at the first call."""
        with self._starting:
            conf = spark_conf(jars.ensure("spark"), Path(self.home), self.s3_endpoint_url, self.region)
            session: SparkSession = LazyPySparkResource(spark_config=conf).spark_session
            return session

    @contextmanager
    def _only_driver(self, log: dg.DagsterLogManager) -> Iterator[None]:
        """Wait until no other process of this machine runs Spark jobs on the lake.

        Open-source Delta on S3 keeps commits apart within one driver only; on Databricks the platform does it for all.
        """
        path = Path(self.home, "spark.lock")
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                log.info("another run is using Spark, waiting for it to end (%s)", path)
                fcntl.flock(lock, fcntl.LOCK_EX)
            yield
