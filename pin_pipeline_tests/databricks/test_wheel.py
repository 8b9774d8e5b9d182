"""The wheel that is installed on a cluster: what it brings along, and what it must leave alone."""

from __future__ import annotations

import re
import subprocess
import sys
import zipfile
from collections.abc import Iterable, Iterator
from importlib.metadata import Distribution, PackageNotFoundError, PathDistribution, distribution
from pathlib import Path

# A Databricks Runtime has these, of its own making.
SPARK = {"pyspark", "delta-spark", "py4j"}
# What others import where it happens to be there.
BY_CHANCE = {"numpy", "setuptools", "certifi"}
LOADED = """
import sys, pin_pipeline.databricks.batch, pin_pipeline.databricks.stream
from importlib.metadata import packages_distributions
found = packages_distributions()
print(*{name for module in sys.modules for name in found.get(module.partition(".")[0], ())})
"""
REQUIREMENT = re.compile(r"^([\w.-]+)(?:\[([\w,-]+)])?")
EXTRA = re.compile(r"extra == ['\"]([\w-]+)['\"]")


def requirements(of: Distribution, extras: Iterable[str] = ()) -> Iterator[tuple[str, tuple[str, ...]]]:
    """What a distribution requires, with the extras that it wants of each."""
    for line in of.requires or ():
        extra = EXTRA.search(line)
        if extra is None or extra[1] in extras:
            found = REQUIREMENT.match(line)
            assert found
            yield normal(found[1]), tuple((found[2] or "").split(","))


def closure(of: Distribution) -> set[str]:
    """All that is installed with a distribution."""
    found: set[str] = set()
    waiting = list(requirements(of))
    while waiting:
        name, extras = waiting.pop()
        if name not in found:
            found.add(name)
            try:
                waiting += requirements(distribution(name), extras)
            except PackageNotFoundError:
                continue  # for another system than this one
    return found


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def test_what_runs_on_the_cluster_needs_what_the_wheel_requires_and_nothing_that_would_replace_spark(
    wheel: Path, tmp_path: Path
) -> None:
    zipfile.ZipFile(wheel).extractall(tmp_path)
    [metadata] = tmp_path.glob("*.dist-info")
    installed = closure(PathDistribution(metadata))
    assert not installed & {*SPARK, "dagster"}
    environment = {"PYTHONPATH": str(tmp_path)}
    answer = subprocess.run(
        [sys.executable, "-c", LOADED], env=environment, cwd=tmp_path, capture_output=True, check=True, text=True
    )
    loaded = {normal(name) for name in answer.stdout.split()}
    assert loaded - installed - SPARK - BY_CHANCE == {"pin-pipeline"}
