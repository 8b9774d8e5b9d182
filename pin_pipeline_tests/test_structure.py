"""Structure of the package: sizes, unique class names and error classes; imports are checked by `make check`."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from statistics import median

PACKAGE = Path(__file__).parents[1] / "pin_pipeline"
MAX_LINES, MAX_MEDIAN_LINES = 300, 90
BUILT_IN_BASES = {"Exception", "ValueError", "RuntimeError", "OSError", "KeyError", "LookupError"}


def lines(path: Path) -> int:
    return len(path.read_text().splitlines())


def modules() -> list[Path]:
    return [path for path in PACKAGE.rglob("*.py") if path.name != "__init__.py"]


def classes() -> Iterator[tuple[Path, ast.ClassDef]]:
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ClassDef):
                yield path, node


def test_modules_are_small() -> None:
    sizes = {path: lines(path) for path in [*modules(), *Path(__file__).parent.rglob("*.py")]}
    assert {str(path): size for path, size in sizes.items() if size > MAX_LINES} == {}
    assert median(lines(path) for path in modules()) <= MAX_MEDIAN_LINES


def test_package_root_holds_four_modules() -> None:
    assert {path.name for path in PACKAGE.glob("*.py")} == {
        "__init__.py",
        "definitions.py",
        "errors.py",
        "reports.py",
        "settings.py",
    }
    assert lines(PACKAGE / "definitions.py") <= 25


def test_class_names_are_unique() -> None:
    places = defaultdict(list)
    for path, node in classes():
        places[node.name.lstrip("_")].append(str(path.relative_to(PACKAGE)))
    assert {name: paths for name, paths in places.items() if len(paths) > 1} == {}


def test_error_classes_derive_from_the_base_class() -> None:
    found = {
        f"{path.relative_to(PACKAGE)}: {node.name}"
        for path, node in classes()
        if {ast.unparse(base) for base in node.bases} & BUILT_IN_BASES
    }
    assert found == {"errors.py: PipelineError"}
