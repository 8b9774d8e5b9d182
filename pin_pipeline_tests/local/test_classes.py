"""The archive of Spark's classes, which is made when the project is installed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

from pin_pipeline.lakehouse.session import CLASSES


@pytest.mark.skipif(not CLASSES.exists(), reason="installed without `make`, which prepares Spark")
@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="only Linux tells what a process has mapped")
def test_spark_maps_its_classes_instead_of_loading_them(spark: SparkSession) -> None:
    jvm: Any = spark.sparkContext._jvm
    pid = jvm.java.lang.ProcessHandle.current().pid()
    assert str(CLASSES) in Path(f"/proc/{pid}/maps").read_text()
