"""Detached processes: the environment that they inherit."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from pin_pipeline.local.process import DetachedProcess

PRINT_HOME = "from pin_pipeline.settings import LocalSettings; print(LocalSettings.load().home)"


@pytest.mark.parametrize("pin_home", [None, ".", "state"])
def test_detached_process_inherits_the_home_of_its_caller(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pin_home: str | None
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PIN_HOME", raising=False)
    if pin_home:
        monkeypatch.setenv("PIN_HOME", pin_home)
    process = DetachedProcess(tmp_path / "state", "printer")
    assert process.launch([sys.executable, "-c", PRINT_HOME], {})
    assert list(process.follow()) == [f"{tmp_path / 'state'}\n"]
