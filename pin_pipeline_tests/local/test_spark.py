"""Spark installation: the class archive and the SPARK_HOME that `make test` writes."""

from __future__ import annotations

import sys
from typing import Any

import psutil
import pyarrow as pa
import pyspark
import pytest
from pyspark.sql import SparkSession
from pyspark.sql.pandas.functions import ArrowUDFType, arrow_udf

from pin_pipeline.spark.conf import CLASS_ARCHIVE

pytestmark = pytest.mark.skipif(not CLASS_ARCHIVE.exists(), reason="needs the files that `make test` writes")


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells which files a process maps")
def test_spark_maps_the_class_archive(spark: SparkSession) -> None:
    jvm: Any = spark.sparkContext._jvm
    process = psutil.Process(jvm.java.lang.ProcessHandle.current().pid())
    assert str(CLASS_ARCHIVE) in [mapped.path for mapped in process.memory_maps()]


def test_python_workers_import_the_installed_pyspark(spark: SparkSession) -> None:
    def pyspark_path(numbers: pa.Array) -> pa.Array:
        return pa.array([pyspark.__file__] * len(numbers))

    [row] = spark.range(1).select(arrow_udf(pyspark_path, "string", ArrowUDFType.SCALAR)("id")).collect()
    assert row[0] == pyspark.__file__
