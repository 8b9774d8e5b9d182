"""Spark settings: those that decide results, the same wherever Spark runs, and the JVM options of this machine."""

from __future__ import annotations

import sys
from pathlib import Path

ARROW_BATCH_BYTES = 4 * 2**20

RESULT_CONF = {
    "spark.sql.ansi.enabled": "true",
    "spark.sql.session.timeZone": "UTC",
    # The default, INT96, is read as nanoseconds by most other readers, for which it ends in the year 2262.
    "spark.sql.parquet.outputTimestampType": "TIMESTAMP_MICROS",
    # One or two landed objects. The default limit of an Arrow batch, 10,000 rows, would be gigabytes of objects.
    "spark.sql.execution.arrow.maxBytesPerBatch": str(ARROW_BATCH_BYTES),
}
"""Settings that decide results; every session and every cluster has them."""

SPARK_HOME = Path(sys.prefix, "spark")
"""Home directory of Spark, created by `pin_pipeline.local.installation`; without it, Spark runs, but starts slower."""

CLASS_ARCHIVE = SPARK_HOME / "classes.jsa"
"""Archive of Spark's classes, recorded by `pin_pipeline.local.class_archives`; Spark also runs without it."""

CLASS_ARCHIVE_OPTION = f"-XX:SharedArchiveFile={CLASS_ARCHIVE}"

JVM_OPTIONS = (
    # The second compiler does not pay off on few cores: the daily batch ends before it does, and in a streaming driver
    # it takes a sixth of a core for minutes.
    "-XX:TieredStopAtLevel=1",
    # Spark has more classes than the default sizes of the code cache and the metaspace allow for.
    "-XX:ReservedCodeCacheSize=256m",
    "-XX:MetaspaceSize=256m",
    # A parallel collector does not pay off on few cores either.
    "-XX:+UseSerialGC",
    "-Xlog:cds=off",
    "-Xlog:cds+dynamic=off",
)
"""JVM options of every local session."""

BATCH_JVM_OPTIONS = (*JVM_OPTIONS, "-Xms1g", "-Xmn400m")
"""JVM options of the daily batch: the initial heap is the final one, which saves the collections that make it grow."""

STREAMING_JVM_OPTIONS = (*JVM_OPTIONS, "-Xms256m", "-Xss8m", "-Xrs")
"""JVM options of a streaming job. -Xrs leaves signals to the process that started the JVM.

When a query stops with an error, Spark searches its long text with a regular expression that overflows the default
thread stack; 8 MiB are enough.
"""

CHECKPOINT_FILE_MANAGER = "org.apache.spark.sql.execution.streaming.checkpointing.FileSystemBasedCheckpointFileManager"
LOCAL_FILE_SYSTEM = "com.globalmentor.apache.hadoop.fs.BareLocalFileSystem"
"""Local file system of Hadoop that calls Java instead of external programs.

Without Hadoop's native library, the default one starts `chmod` and other programs for every file it writes, which takes
a third of a second per checkpoint of a micro-batch.
"""
