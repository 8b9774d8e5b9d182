"""Fixtures for tests with adversarial input, which run on both engines."""

from pin_pipeline_tests.batch.conftest import embedded_engine, engine

__all__ = ["embedded_engine", "engine"]
