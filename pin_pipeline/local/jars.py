"""Jars of Spark and of the Kafka broker, downloaded once per user with the Ivy that PySpark ships.

`ivy.xml` names every jar, and `jars.sha256` has its digest. No other jar is put on a class path.
"""

from __future__ import annotations

import hashlib
import logging
import subprocess
import tempfile
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from pin_pipeline.local.errors import LocalError
from pin_pipeline.settings import LocalSettings
from pin_pipeline.spark.java import find_java

JarSet = Literal["spark", "kafka"]

log = logging.getLogger(__name__)


def ensure(jar_set: JarSet) -> Path:
    """Return the folder of a set of jars, after downloading them if missing.

    The folder is in the user's cache (`PIN_JARS`, by default `~/.cache/pin-pipeline/jars`), which checkouts share.

    Raises:
        LocalError: the download failed, or a digest differs from `jars.sha256`.
    """
    digests = _digests(jar_set)
    combined = hashlib.sha256("".join(f"{name}{digest}" for name, digest in digests.items()).encode()).hexdigest()
    folder = _cache() / f"{jar_set}-{combined[:12]}"
    if not folder.exists():
        log.info("downloading %d jars for %s, about a minute ...", len(digests), jar_set)
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
            downloaded = Path(scratch, "jars")
            _download(jar_set, downloaded, Path(scratch, "ivy"))
            verify(downloaded, digests)
            if not folder.exists():  # another process may have been faster
                downloaded.rename(folder)
    return folder


def verify(folder: Path, digests: dict[str, str]) -> None:
    """Verify that a folder contains exactly the given jars.

    Raises:
        LocalError: a jar is missing, unexpected, or has another SHA-256 digest.
    """
    found = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.glob("*.jar")}
    for name in sorted(found.keys() | digests.keys()):
        if found.get(name) != digests.get(name):
            raise LocalError(
                f"jar {name} was rejected: its SHA-256 is {found.get(name, 'missing (no such file)')}, expected "
                f"{digests.get(name, 'no such jar')} as in jars.sha256; try again, and report it if it persists"
            )


def ivy_command(folder: Path, scratch: Path, configuration: str, *arguments: str) -> list[str]:
    """Return the command with which PySpark's Ivy downloads the requested jars into a folder."""
    pyspark = find_spec("pyspark")  # importing it takes time that only the download needs
    [jar] = Path(str(pyspark and pyspark.origin)).parent.glob("jars/ivy-2*.jar")
    return [
        find_java(),
        f"-Divy.default.ivy.user.dir={scratch}",
        "-jar",
        str(jar),
        *arguments,
        *("-cache", str(scratch / "cache")),
        *("-confs", configuration),
        *("-retrieve", f"{folder}/[artifact]-[revision].[ext]"),
    ]


def _digests(jar_set: JarSet) -> dict[str, str]:
    lines = files("pin_pipeline.local").joinpath("jars.sha256").read_text().splitlines()
    pairs = (line.split() for line in lines)
    return {path.removeprefix(f"{jar_set}/"): digest for digest, path in pairs if path.startswith(f"{jar_set}/")}


def _cache() -> Path:
    settings = LocalSettings.load()
    return settings.jars or (settings.cache_home or Path.home() / ".cache") / "pin-pipeline" / "jars"


def _download(jar_set: JarSet, folder: Path, scratch: Path) -> None:
    ivy_file = str(files("pin_pipeline.local").joinpath("ivy.xml"))
    command = ivy_command(folder, scratch, jar_set, "-ivy", ivy_file)
    result = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    if result.returncode:
        output = folder.parent.parent / f"{jar_set}-ivy.log"
        output.write_text(result.stdout + result.stderr)
        raise LocalError(
            f"the jars for {jar_set} could not be downloaded from Maven Central: check the network (behind a proxy, "
            f"set JAVA_TOOL_OPTIONS=-Dhttps.proxyHost=... ) and try again; the output of Ivy is in {output}"
        )
