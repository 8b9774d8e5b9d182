"""Configuration of local Spark sessions, for the daily batch and for streaming jobs."""

from __future__ import annotations

import os
import sys
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from pin_pipeline.aws.clients import LOCAL_CREDENTIALS, LOCAL_REGION, is_local
from pin_pipeline.spark.conf import (
    BATCH_JVM_OPTIONS,
    CHECKPOINT_FILE_MANAGER,
    CLASS_ARCHIVE_OPTION,
    LOCAL_FILE_SYSTEM,
    RESULT_CONF,
    SPARK_HOME,
    STREAMING_JVM_OPTIONS,
)
from pin_pipeline.spark.java import java_variables

MAX_BATCH_BYTES = 2**30
"""Size of the objects of one batch in a local session.

The keys of a batch are held in the memory of two tasks. 10,000,000 pins at once, objects of 6.4 GB, take more than the
session has; 1 GiB is a sixth of them.
"""

MAX_SOCKET_PATH = 103
"""Bytes of the path of a socket on macOS; on Linux, 107."""

SOCKET_NAME_LENGTH = len("/.01234567-89ab-cdef-0123-456789abcdef.sock")


def spark_variables() -> dict[str, str]:
    """Return the environment variables that Spark needs, for what it has no setting for: its Python and its home."""
    # Without PYSPARK_PYTHON, PySpark starts the first `python3` of the PATH.
    python = {"PYSPARK_PYTHON": sys.executable}
    return python | {"SPARK_HOME": str(SPARK_HOME)} if SPARK_HOME.exists() else python


def spark_conf(jars: Path, home: Path, s3_endpoint_url: str | None, region: str) -> dict[str, str]:
    """Return the settings of a local session that reads and writes Delta tables on S3.

    The tables are small and the cores few: work that Spark and Delta spread over hundreds of tasks by default is done
    in one or two. Python workers run the Python of this process; the environment variables for it are set here.

    Args:
        jars: folder of Spark's additional jars.
        home: folder for the files that Spark writes locally.
        s3_endpoint_url: endpoint of S3; None for AWS.
        region: AWS region.
    """
    for name, value in spark_variables().items():
        os.environ.setdefault(name, value)
    os.environ.update(java_variables())
    return RESULT_CONF | {
        "spark.app.name": "pin_pipeline",
        "spark.master": "local[*]",
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.driver.memory": "1g",
        "spark.driver.extraClassPath": f"{jars}/*",
        "spark.driver.extraJavaOptions": " ".join((*BATCH_JVM_OPTIONS, CLASS_ARCHIVE_OPTION)),
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.log.level": "ERROR",
        # The queries of the daily batch generate more classes than the default cache size, 100.
        "spark.sql.codegen.cache.maxEntries": "1000",
        "spark.sql.warehouse.dir": str(home / "spark-warehouse"),
        "spark.sql.shuffle.partitions": "2",
        "spark.sql.sources.parallelPartitionDiscovery.parallelism": "2",
        "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
        "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
        "spark.databricks.delta.snapshotPartitions": "1",
        "spark.hadoop.fs.s3a.endpoint": s3_endpoint_url or "",
        "spark.hadoop.fs.s3a.endpoint.region": LOCAL_REGION if is_local(s3_endpoint_url) else region,
        "spark.hadoop.fs.s3a.path.style.access": "true",
        **_s3a_credentials(s3_endpoint_url),
        **_worker_sockets(),
    }


def _worker_sockets() -> dict[str, str]:
    """Return the settings with which Python workers are reached by sockets in a folder that only this user can enter.

    By default, they listen on TCP ports. If Spark and a worker both fill the buffers of a connection, Linux 6.18 may
    drop the acknowledgements too, and the task stands still: cleaning 10,000,000 pins did.
    """
    folder = _socket_folder().name
    if len(folder) + SOCKET_NAME_LENGTH > MAX_SOCKET_PATH:
        return {}
    return {"spark.python.unix.domain.socket.enabled": "true", "spark.python.unix.domain.socket.dir": folder}


@cache
def _socket_folder() -> TemporaryDirectory[str]:
    return TemporaryDirectory(prefix="pin-", ignore_cleanup_errors=True)


def _s3a_credentials(s3_endpoint_url: str | None) -> dict[str, str]:
    provider = "spark.hadoop.fs.s3a.aws.credentials.provider"
    if not is_local(s3_endpoint_url):
        return {provider: "software.amazon.awssdk.auth.credentials.EnvironmentVariableCredentialsProvider"}
    return {
        provider: "org.apache.hadoop.fs.s3a.SimpleAWSCredentialsProvider",
        "spark.hadoop.fs.s3a.access.key": LOCAL_CREDENTIALS["aws_access_key_id"],
        "spark.hadoop.fs.s3a.secret.key": LOCAL_CREDENTIALS["aws_secret_access_key"],
    }


def streaming_conf(jars: Path, home: Path, s3_endpoint_url: str | None, region: str) -> dict[str, str]:
    """Return the settings of a local session for continuous queries with small micro-batches; see `spark_conf`."""
    return spark_conf(jars, home, s3_endpoint_url, region) | {
        "spark.driver.memory": "512m",
        "spark.driver.extraJavaOptions": " ".join((*STREAMING_JVM_OPTIONS, CLASS_ARCHIVE_OPTION)),
        "spark.sql.adaptive.enabled": "false",
        "spark.sql.shuffle.partitions": "1",
        "spark.hadoop.fs.file.impl": LOCAL_FILE_SYSTEM,
        "spark.sql.streaming.checkpointFileManagerClass": CHECKPOINT_FILE_MANAGER,
    }
