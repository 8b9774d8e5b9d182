"""Pages: links lead somewhere, the index is complete, and commands exist."""

from __future__ import annotations

import re
import subprocess
from importlib.util import find_spec
from pathlib import Path

import pytest
from typer.core import TyperGroup
from typer.main import get_command

from pin_pipeline.cli.app import app
from pin_pipeline_tests.docs.pages import ROOT, anchors, blocks, links, markdown_pages

PAGES = [pytest.param(page, id=str(page.relative_to(ROOT))) for page in markdown_pages()]
COMMAND = re.compile(r"(?<!put-secret )pin-pipeline ([a-z][a-z-]*)(?: ([a-z][a-z-]*))?")
TARGET = re.compile(r"`make ([a-z]+)|^make ([a-z]+)", re.MULTILINE)
CHECK_SYNTAX = ["bash", "-n"]
MODULE = re.compile(r"python -m ((?:pin_pipeline|benchmarks|tools)[\w.]*)")


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_to_files_and_headings(page: Path) -> None:
    broken = []
    for link in links(page):
        target, _, anchor = link.partition("#")
        path = (page.parent / target).resolve() if target else page
        if not path.exists() or (anchor and anchor not in anchors(path)):
            broken.append(link)
    assert broken == []


@pytest.mark.parametrize("page", [page for page in PAGES if page.id != "CHANGELOG.md"])  # it has former names
def test_commands_targets_and_modules_exist(page: Path) -> None:
    text = page.read_text()
    commands = get_command(app)
    assert isinstance(commands, TyperGroup)
    missing = []
    for name, following in COMMAND.findall(text):
        command = commands.commands.get(name)
        if command is None or (isinstance(command, TyperGroup) and following and following not in command.commands):
            missing.append(f"pin-pipeline {name} {following}")
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    missing += [f"make {first or second}" for first, second in TARGET.findall(text) if (first or second) not in targets]
    missing += [module for module in MODULE.findall(text) if find_spec(module.rstrip(".")) is None]
    assert missing == []


@pytest.mark.parametrize("page", PAGES)
def test_commands_are_valid_shell(page: Path) -> None:
    for block in blocks(page):
        if block.language == "sh":
            subprocess.run(CHECK_SYNTAX, input=block.text, text=True, check=True)


def test_index_lists_every_page() -> None:
    listed = set()
    for index in (ROOT / "docs" / "README.md", ROOT / "docs" / "decisions" / "README.md"):
        listed |= {index} | {(index.parent / link.partition("#")[0]).resolve() for link in links(index)}
    assert set((ROOT / "docs").rglob("*.md")) <= listed
