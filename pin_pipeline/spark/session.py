"""The Spark settings of the local environment."""

from __future__ import annotations

import os
import sys
from pathlib import Path

ARROW_BATCH_BYTES = 4 * 2**20
# Both made by `pin_pipeline.local.spark`, and only faster than what there is without them: a home of Spark, and the
# archive of its classes, which Java passes over when it is of another Java.
HOME = Path(sys.prefix, "spark")
CLASSES = HOME / "classes.jsa"
# On few cores neither the second compiler nor a parallel collector is worth what it costs: a day is over before, and in
# a streaming driver the compiler takes a sixth of a core for minutes. Spark's classes are more than a JVM expects.
SMALL = (
    "-XX:TieredStopAtLevel=1",
    "-XX:ReservedCodeCacheSize=256m",
    "-XX:+UseSerialGC",
    "-XX:MetaspaceSize=256m",
    "-Xlog:cds=off",
    "-Xlog:cds+dynamic=off",
)
# Collections that only make room to grow are spared.
BATCH = (*SMALL, "-Xms1g", "-Xmn400m")
# When a query is stopped, Spark searches the long text of an error by a regular expression that overflows the usual
# stack.
STREAMING = (*SMALL, "-Xms256m", "-Xss8m")
ARCHIVED = f"-XX:SharedArchiveFile={CLASSES}"
# What decides about results, and must be the same wherever Spark runs.
RESULTS = {
    "spark.sql.ansi.enabled": "true",
    "spark.sql.session.timeZone": "UTC",
    # The default, INT96, is nanoseconds to most other readers, and ends in the year 2262 there.
    "spark.sql.parquet.outputTimestampType": "TIMESTAMP_MICROS",
    # An object or two: the default limit of what Python is given at once, ten thousand, would be gigabytes.
    "spark.sql.execution.arrow.maxBytesPerBatch": str(ARROW_BATCH_BYTES),
}
CHECKPOINT_FILES = "org.apache.spark.sql.execution.streaming.checkpointing.FileSystemBasedCheckpointFileManager"


def streaming_conf(jars: Path, home: Path, s3_endpoint_url: str | None, region: str) -> dict[str, str]:
    """Settings of a session for queries that never end: small micro-batches, as soon as there is something to read."""
    return spark_conf(jars, home, s3_endpoint_url, region) | {
        "spark.driver.memory": "512m",
        "spark.driver.extraJavaOptions": " ".join((*STREAMING, ARCHIVED)),
        "spark.sql.adaptive.enabled": "false",
        "spark.sql.shuffle.partitions": "1",
        # Without Hadoop's native library its local file system starts programs, `chmod` and others, for every file that
        # it writes: a third of a second for the checkpoint of a micro-batch. This one asks Java.
        "spark.hadoop.fs.file.impl": "com.globalmentor.apache.hadoop.fs.BareLocalFileSystem",
        "spark.sql.streaming.checkpointFileManagerClass": CHECKPOINT_FILES,
    }


def spark_variables() -> dict[str, str]:
    """What Spark is told by environment variables, for want of settings: its Python, and its home where it has one."""
    # Without the first PySpark starts the `python3` of the PATH.
    python = {"PYSPARK_PYTHON": sys.executable}
    return python | {"SPARK_HOME": str(HOME)} if HOME.exists() else python


def spark_conf(jars: Path, home: Path, s3_endpoint_url: str | None, region: str) -> dict[str, str]:
    """Settings of a session on this machine that reads and writes Delta tables on an S3 endpoint.

    Small tables on few cores: what Spark and Delta spread over hundreds of tasks by default goes into one or two.
    What Spark keeps on disk by itself lies in `home`. Its Python workers run the Python of this process.
    """
    for name, value in spark_variables().items():
        os.environ.setdefault(name, value)
    return RESULTS | {
        "spark.app.name": "pin_pipeline",
        "spark.master": "local[*]",
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.driver.memory": "1g",
        "spark.driver.extraClassPath": f"{jars}/*",
        "spark.driver.extraJavaOptions": " ".join((*BATCH, ARCHIVED)),
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.log.level": "ERROR",
        # The code of a day's queries is more than the usual hundred classes.
        "spark.sql.codegen.cache.maxEntries": "1000",
        "spark.sql.warehouse.dir": str(home / "spark-warehouse"),
        "spark.sql.shuffle.partitions": "2",
        "spark.sql.sources.parallelPartitionDiscovery.parallelism": "2",
        "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
        "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
        "spark.databricks.delta.snapshotPartitions": "1",
        "spark.hadoop.fs.s3a.endpoint": s3_endpoint_url or "",
        "spark.hadoop.fs.s3a.endpoint.region": region,
        "spark.hadoop.fs.s3a.path.style.access": "true",
        "spark.hadoop.fs.s3a.aws.credentials.provider": (
            "software.amazon.awssdk.auth.credentials.EnvironmentVariableCredentialsProvider"
        ),
    }
