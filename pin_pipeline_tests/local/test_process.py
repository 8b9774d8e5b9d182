"""Detached processes."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from pin_pipeline.local.process import DetachedProcess

PRINT_HOME = "from pin_pipeline import environment; print(environment.home())"


@pytest.mark.parametrize("said", [None, ".", "state"])
def test_a_detached_process_has_the_home_of_who_started_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: str | None
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PIN_HOME", raising=False)
    if said:
        monkeypatch.setenv("PIN_HOME", said)
    process = DetachedProcess(tmp_path / "state", "printer")
    assert process.launch([sys.executable, "-c", PRINT_HOME], {})
    assert list(process.follow()) == [f"{tmp_path / 'state'}\n"]
