"""Requirements of the wheel that is installed on a cluster."""

from __future__ import annotations

import re
import subprocess
import sys
import zipfile
from collections.abc import Iterable, Iterator
from importlib.metadata import Distribution, PackageNotFoundError, PathDistribution, distribution
from pathlib import Path

import pin_pipeline
from pin_pipeline_tests.helpers.package_names import normalized

SPARK = {"pyspark", "delta-spark", "py4j"}
"""Packages that a Databricks Runtime contains in its own versions, and that the wheel must not replace."""
OPTIONAL_IMPORTS = {"numpy", "setuptools", "certifi"}
"""Packages that dependencies import only if they are installed."""
PRINT_LOADED_PACKAGES = """
import sys, pin_pipeline.databricks.batch, pin_pipeline.databricks.stream
from importlib.metadata import packages_distributions
found = packages_distributions()
print(*{name for module in sys.modules for name in found.get(module.partition(".")[0], ())})
"""
REQUIREMENT = re.compile(r"^([\w.-]+)(?:\[([\w,-]+)])?")
EXTRA = re.compile(r"extra == ['\"]([\w-]+)['\"]")


def requirements(package: Distribution, extras: Iterable[str] = ()) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield the requirements of a distribution and their extras."""
    for line in package.requires or ():
        extra = EXTRA.search(line)
        if extra is None or extra[1] in extras:
            found = REQUIREMENT.match(line)
            assert found
            yield normalized(found[1]), tuple((found[2] or "").split(","))


def transitive_requirements(package: Distribution) -> set[str]:
    """Return the names of all packages that are installed with a distribution."""
    found: set[str] = set()
    pending = list(requirements(package))
    while pending:
        name, extras = pending.pop()
        if name not in found:
            found.add(name)
            try:
                pending += requirements(distribution(name), extras)
            except PackageNotFoundError:
                continue  # required on another operating system only
    return found


def test_wheel_has_all_files_of_the_package_and_no_others(wheel: Path) -> None:
    package = Path(pin_pipeline.__file__).parent
    files = {path.relative_to(package.parent) for path in package.rglob("*") if "__pycache__" not in path.parts}
    found = {Path(name) for name in zipfile.ZipFile(wheel).namelist()}
    assert {path for path in found if path.parts[0] == "pin_pipeline"} == {
        path for path in files if (package.parent / path).is_file()
    }
    assert {path.parts[0].partition("-")[2] for path in found} == {"", "0.1.0.dist-info"}


def test_wheel_requires_what_its_entry_points_import_and_does_not_replace_spark(wheel: Path, tmp_path: Path) -> None:
    zipfile.ZipFile(wheel).extractall(tmp_path)
    [metadata] = tmp_path.glob("*.dist-info")
    installed = transitive_requirements(PathDistribution(metadata))
    assert not installed & {*SPARK, "dagster"}
    environment = {"PYTHONPATH": str(tmp_path)}
    result = subprocess.run(
        [sys.executable, "-c", PRINT_LOADED_PACKAGES],
        env=environment,
        cwd=tmp_path,
        capture_output=True,
        check=True,
        text=True,
    )
    loaded = {normalized(name) for name in result.stdout.split()}
    assert loaded - installed - SPARK - OPTIONAL_IMPORTS == {"pin-pipeline"}
