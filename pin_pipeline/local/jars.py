"""The jars of Spark and of the Kafka broker, fetched once a user by the Ivy that pyspark ships.

Every jar is named in `ivy.xml` and its digest in `jars.sha256`; nothing else is ever put on a class path.
"""

from __future__ import annotations

import hashlib
import logging
import os
import subprocess
import tempfile
from importlib.resources import files
from pathlib import Path
from typing import Literal

import pyspark

from pin_pipeline.local.errors import LocalError
from pin_pipeline.local.java import find_java

JarSet = Literal["spark", "kafka"]

log = logging.getLogger(__name__)


def ensure(jar_set: JarSet) -> Path:
    """The folder of a set's jars, fetched first where they are not there yet.

    They lie in the user's cache (`PIN_JARS`, else `~/.cache/pin-pipeline/jars`), so that checkouts share them.

    Raises:
        LocalError: there is no Java, they cannot be downloaded, or one has another digest than `jars.sha256` says.
    """
    digests = _digests(jar_set)
    lock = hashlib.sha256("".join(f"{name}{digest}" for name, digest in digests.items()).encode()).hexdigest()
    folder = _cache() / f"{jar_set}-{lock[:12]}"
    if not folder.exists():
        log.info("fetching %d jars for %s, about a minute ...", len(digests), jar_set)
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
            fetched = Path(scratch, "jars")
            _retrieve(jar_set, fetched, Path(scratch, "ivy"))
            verify(fetched, digests)
            if not folder.exists():  # another process may have been faster
                fetched.rename(folder)
    return folder


def verify(folder: Path, digests: dict[str, str]) -> None:
    """Raise LocalError unless the folder holds exactly these jars, each with its SHA-256 digest."""
    found = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.glob("*.jar")}
    for name in sorted(found.keys() | digests.keys()):
        if found.get(name) != digests.get(name):
            raise LocalError(
                f"jar {name} has SHA-256 {found.get(name, 'of no file')}, but jars.sha256 says "
                f"{digests.get(name, 'there is none')}: it is not used; try again, and if it stays so, tell us"
            )


def _digests(jar_set: JarSet) -> dict[str, str]:
    lines = files("pin_pipeline.local").joinpath("jars.sha256").read_text().splitlines()
    pairs = (line.split() for line in lines)
    return {path.removeprefix(f"{jar_set}/"): digest for digest, path in pairs if path.startswith(f"{jar_set}/")}


def _cache() -> Path:
    default = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "pin-pipeline", "jars")
    return Path(os.environ.get("PIN_JARS", default))


def ivy(folder: Path, scratch: Path, configuration: str, *wanted: str) -> list[str]:
    """The command that fetches what is wanted into a folder, by the Ivy that pyspark ships."""
    [jar] = Path(pyspark.__path__[0], "jars").glob("ivy-2*.jar")
    return [
        find_java(),
        f"-Divy.default.ivy.user.dir={scratch}",
        "-jar",
        str(jar),
        *wanted,
        *("-cache", str(scratch / "cache")),
        *("-confs", configuration),
        *("-retrieve", f"{folder}/[artifact]-[revision].[ext]"),
    ]


def _retrieve(jar_set: JarSet, folder: Path, scratch: Path) -> None:
    command = ivy(folder, scratch, jar_set, "-ivy", str(files("pin_pipeline.local").joinpath("ivy.xml")))
    answer = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    if answer.returncode:
        output = folder.parent.parent / f"{jar_set}-ivy.log"
        output.write_text(answer.stdout + answer.stderr)
        raise LocalError(
            f"the jars for {jar_set} could not be downloaded from Maven Central: check the network (behind a proxy, "
            f"set JAVA_TOOL_OPTIONS=-Dhttps.proxyHost=... ) and try again; Ivy's own words are in {output}"
        )
