"""The Java runtime that Kafka and Spark run on."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from functools import cache
from pathlib import Path

from pin_pipeline.local.errors import LocalError

OLDEST = 17
_ADVICE = f"install a Java runtime of version {OLDEST} or newer and put it on PATH, or name its folder in JAVA_HOME"


@cache
def find_java() -> str:
    """The java command, of JAVA_HOME where that is set.

    Raises:
        LocalError: there is none, or it is too old.
    """
    home = os.environ.get("JAVA_HOME")
    command = shutil.which("java", path=str(Path(home, "bin")) if home else None)
    if command is None:
        raise LocalError(f"there is no java {f'in {home}/bin' if home else 'on PATH'}: {_ADVICE}")
    answer = subprocess.run([command, "-version"], capture_output=True, text=True, check=False)  # noqa: S603
    version = re.search(r'version "(?:1\.)?(\d+)', answer.stderr)
    if version is None:
        raise LocalError(f"{command} does not tell its version: {_ADVICE}")
    if int(version[1]) < OLDEST:
        raise LocalError(f"{command} is Java {version[1]}: {_ADVICE}")
    return command
