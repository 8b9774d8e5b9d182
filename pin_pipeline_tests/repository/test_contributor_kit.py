"""Files for contributors: they run what the Makefile runs, and name what exists."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
MAKEFILE = (ROOT / "Makefile").read_text()
TARGETS = set(re.findall(r"^([a-z]+):", MAKEFILE, re.MULTILINE))


def load(path: str) -> Any:
    return yaml.safe_load((ROOT / path).read_text())


def recipe(target: str) -> list[str]:
    """Return the commands of a target, as a shell in the root of the project would run them."""
    [lines] = re.findall(rf"^{target}:.*\n((?:\t.*\n)+)", MAKEFILE, re.MULTILINE)
    return [line.strip().replace("$(BIN)", ".venv/bin") for line in lines.splitlines()]


def workflow_steps(name: str) -> list[dict[str, Any]]:
    jobs = load(f".github/workflows/{name}.yml")["jobs"].values()
    return [step for job in jobs for step in job["steps"]]


def test_hooks_run_the_commands_of_make_check() -> None:
    hooks = [hook for repository in load(".pre-commit-config.yaml")["repos"] for hook in repository["hooks"]]
    assert sorted(hook["entry"] for hook in hooks) == sorted(recipe("check"))


def test_workflows_call_the_targets_of_the_makefile() -> None:
    called = [step["run"] for name in ("ci", "release") for step in workflow_steps(name) if "run" in step]
    targets = {match[1] for command in called if (match := re.match(r"make (\w+)", command))}
    assert targets == {"check", "test", "demo", "release"}
    assert targets <= TARGETS


def test_workflow_covers_the_supported_python_versions_and_systems() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    matrix = load(".github/workflows/ci.yml")["jobs"]["test"]["strategy"]["matrix"]
    versions = re.findall(r"Python :: (3\.\d+)", "\n".join(project["classifiers"]))
    assert matrix == {"os": ["ubuntu-latest", "macos-latest"], "python": versions}
    first, last = versions[0], int(versions[-1].removeprefix("3."))
    assert project["requires-python"] == f">={first},<3.{last + 1}"


def test_updates_know_the_lock_and_the_command_that_writes_it() -> None:
    [pattern] = json.loads((ROOT / ".github/renovate.json").read_text())["pip-compile"]["managerFilePatterns"]
    assert re.search(pattern.strip("/"), "requirements.lock")
    header = re.search(r"^# +(uv pip compile .+)$", (ROOT / "requirements.lock").read_text(), re.MULTILINE)
    assert header
    [command] = re.findall(r"(uv pip compile(?:.|\\\n)+)\n\n", MAKEFILE)
    assert set(header[1].split()) == set(command.replace("\\\n", "").split()) - {"--quiet", "--upgrade"}


def test_development_container_prepares_the_project() -> None:
    container = json.loads((ROOT / ".devcontainer/devcontainer.json").read_text())
    assert container["postCreateCommand"].removeprefix("make ") in TARGETS


def test_issue_forms_have_a_name_and_fields() -> None:
    for path in (ROOT / ".github/ISSUE_TEMPLATE").glob("[!c]*.yml"):
        form = yaml.safe_load(path.read_text())
        assert {"name", "description", "body"} <= form.keys()
        assert all(field["attributes"]["label"] for field in form["body"])


@pytest.mark.skipif("PYTEST_XDIST_WORKER" not in os.environ, reason="the tests run in one process")
def test_runner_keeps_the_tests_of_a_module_in_one_process(request: pytest.FixtureRequest) -> None:
    """Otherwise, each process would start the servers of most modules. pytest-xdist appends the group to the name."""
    assert request.node.nodeid.endswith("@pin_pipeline_tests/repository/test_contributor_kit.py")


def test_make_names_the_supported_systems_on_another_one(tmp_path: Path) -> None:
    for name in ("Makefile", "requirements.lock", "pyproject.toml", "setup.cfg"):
        shutil.copy(ROOT / name, tmp_path)
    uname = tmp_path / "programs" / "uname"
    uname.parent.mkdir()
    uname.write_text("#!/bin/sh\necho MINGW64_NT\n")
    uname.chmod(0o755)
    command, path = ["make", "check"], f"{uname.parent}{os.pathsep}{os.environ['PATH']}"
    result = subprocess.run(
        command, cwd=tmp_path, env=os.environ | {"PATH": path}, capture_output=True, text=True, check=False
    )
    assert result.returncode != 0
    assert "unsupported system: MINGW64_NT is not Linux or macOS; on Windows, use WSL 2" in result.stderr
    assert not (tmp_path / ".venv").exists()
