"""Fixtures of the tests that land."""

from __future__ import annotations

import pytest

from pin_pipeline.landing import kafka_connect


@pytest.fixture(autouse=True)
def look_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kafka_connect, "POLL_SECONDS", 0.05)
