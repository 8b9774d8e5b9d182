"""Installation steps after the Python packages: the SPARK_HOME, the Java command for it, and the jars.

SPARK_HOME has Spark's programs and jars, but not the zip of PySpark's sources. With that zip, every Python worker
compiles the modules that it imports, for most of a second, instead of importing the installed package.
"""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import get_args

import pyspark

from pin_pipeline.local import jars
from pin_pipeline.local.errors import LocalError
from pin_pipeline.spark.conf import SPARK_HOME
from pin_pipeline.spark.java import create_packaged_java_home


def install() -> None:
    """Create the SPARK_HOME, and download the jars that are missing.

    Raises:
        LocalError: jars could not be downloaded.
    """
    SPARK_HOME.mkdir(exist_ok=True)
    for name in ("bin", "jars"):
        SPARK_HOME.joinpath(name).unlink(missing_ok=True)
        SPARK_HOME.joinpath(name).symlink_to(Path(pyspark.__path__[0], name))
    create_packaged_java_home()
    with ThreadPoolExecutor() as pool:
        list(pool.map(jars.ensure, get_args(jars.JarSet)))


if __name__ == "__main__":
    try:
        install()
    except LocalError as error:
        sys.exit(f"pin-pipeline: {error}")
