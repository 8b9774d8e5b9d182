"""Fixtures of the tests that land."""

from __future__ import annotations

import pytest

from pin_pipeline.landing import connected


@pytest.fixture(autouse=True)
def look_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connected, "POLL_SECONDS", 0.05)
