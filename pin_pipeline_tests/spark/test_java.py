"""The Java runtime: that of the machine if it is new enough, otherwise the packaged one."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from pin_pipeline.spark.java import PACKAGED_JAVA_HOME, find_java, java_variables, packaged_java


@pytest.fixture(autouse=True)
def forget() -> Iterator[None]:
    find_java.cache_clear()
    yield
    find_java.cache_clear()


def install_java(home: Path, version: str) -> Path:
    """Install a program that prints the version of a Java runtime."""
    java = home / "bin" / "java"
    java.parent.mkdir(parents=True)
    java.write_text(f"#!/bin/sh\necho '{version}' >&2\n")
    java.chmod(0o755)
    return java


@pytest.mark.parametrize(
    ("version", "suffices"),
    [
        ('openjdk version "21.0.2" 2024-01-16', True),
        ('openjdk version "17" 2021-09-14', True),
        ('java version "16.0.1"', False),
        ('openjdk version "1.8.0_402"', False),
        ("Unable to locate a Java Runtime.", False),
    ],
)
def test_java_of_the_machine_is_used_if_it_is_new_enough(
    version: str, suffices: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    java = install_java(tmp_path, version)
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setenv("PATH", f"{java.parent}:/bin")
    assert find_java() == (str(java) if suffices else packaged_java())
    assert ("JAVA_HOME" in java_variables()) is not suffices


def test_java_home_takes_precedence_over_the_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own, other = (install_java(tmp_path / name, 'openjdk version "21"') for name in ("own", "other"))
    monkeypatch.setenv("PATH", f"{other.parent}:/bin")
    monkeypatch.setenv("JAVA_HOME", str(tmp_path / "own"))
    assert find_java() == str(own)


@pytest.mark.parametrize("variable", ["JAVA_HOME", "PATH"])
def test_packaged_java_is_used_if_the_machine_has_none(
    variable: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setenv(variable, str(tmp_path))
    assert find_java() == packaged_java()
    assert java_variables()["JAVA_HOME"] == str(PACKAGED_JAVA_HOME)


def test_packaged_java_for_spark_runs_without_the_module_that_it_lacks() -> None:
    options = ["--add-modules=jdk.incubator.vector", "-Dgreeting=two words", "-XshowSettings:properties", "-version"]
    command = [str(PACKAGED_JAVA_HOME / "bin" / "java"), *options]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "greeting = two words" in result.stderr
