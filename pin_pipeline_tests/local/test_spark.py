"""What is prepared of Spark when the project is installed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyspark
import pytest
from pyspark.sql import SparkSession
from pyspark.sql.pandas.functions import ArrowUDFType, arrow_udf

from pin_pipeline.spark.session import CLASSES

pytestmark = pytest.mark.skipif(not CLASSES.exists(), reason="installed without `make`, which prepares Spark")


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="only Linux tells what a process has mapped")
def test_spark_maps_its_classes_instead_of_loading_them(spark: SparkSession) -> None:
    jvm: Any = spark.sparkContext._jvm
    pid = jvm.java.lang.ProcessHandle.current().pid()
    assert str(CLASSES) in Path(f"/proc/{pid}/maps").read_text()


def test_python_workers_import_the_installed_pyspark(spark: SparkSession) -> None:
    def imported_from(numbers: pa.Array) -> pa.Array:
        return pa.array([pyspark.__file__] * len(numbers))

    [row] = spark.range(1).select(arrow_udf(imported_from, "string", ArrowUDFType.SCALAR)("id")).collect()
    assert row[0] == pyspark.__file__
