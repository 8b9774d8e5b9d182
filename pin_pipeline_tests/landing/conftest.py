"""Fixtures of the landing tests."""

from __future__ import annotations

import pytest

from pin_pipeline.landing import kafka_connect, lander
from pin_pipeline.settings import Settings
from pin_pipeline.storage import object_format
from pin_pipeline.storage.object_store import ObjectStore


@pytest.fixture(autouse=True)
def fast_polling(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kafka_connect, "POLL_SECONDS", 0.05)


@pytest.fixture
def small_objects(monkeypatch: pytest.MonkeyPatch) -> None:
    """Limit objects to seven records, so that few records make many objects."""
    monkeypatch.setattr(lander, "chunk_records", lambda records: object_format.chunk_records(records, max_records=7))


@pytest.fixture
def store(settings: Settings) -> ObjectStore:
    return ObjectStore.of(settings)
