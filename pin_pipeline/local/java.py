"""The Java runtime for Kafka and Spark."""

from __future__ import annotations

import re
import shutil
import subprocess
from functools import cache
from pathlib import Path

from pin_pipeline.local.errors import LocalError
from pin_pipeline.settings import LocalSettings

MINIMUM_VERSION = 17
UTF_8 = {"LC_ALL": "C.UTF-8"}
"""Environment variables of Java programs, which read and write file names in the encoding of the locale."""
_ADVICE = f"install a Java runtime of version {MINIMUM_VERSION} or newer and put it on PATH, or set JAVA_HOME"


@cache
def find_java() -> str:
    """Return the path of the java command: from JAVA_HOME if set, otherwise from PATH.

    Raises:
        LocalError: java is missing, or older than MINIMUM_VERSION.
    """
    home = LocalSettings.load().java_home
    command = shutil.which("java", path=str(Path(home, "bin")) if home else None)
    if command is None:
        raise LocalError(f"java not found {f'in {home}/bin' if home else 'on PATH'}: {_ADVICE}")
    result = subprocess.run([command, "-version"], capture_output=True, text=True, check=False)  # noqa: S603
    version = re.search(r'version "(?:1\.)?(\d+)', result.stderr)
    if version is None:
        raise LocalError(f"{command} -version did not print a version: {_ADVICE}")
    if int(version[1]) < MINIMUM_VERSION:
        raise LocalError(f"{command} is Java {version[1]}: {_ADVICE}")
    return command
