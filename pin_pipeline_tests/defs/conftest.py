"""Definitions as Dagster loads them, executed with a separate prefix and bucket per test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib import reload
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from pin_pipeline.emulator import synthetic
from pin_pipeline.emulator.source import SourceDatabase
from pin_pipeline.settings import Settings

Run = Callable[..., dg.ExecuteInProcessResult]


@pytest.fixture(scope="session")
def source(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Fill a source database with synthetic rows and return its URL."""
    url = f"sqlite:///{tmp_path_factory.mktemp('source') / 'source.db'}"
    synthetic.fill(SourceDatabase(url))
    return url


@pytest.fixture
def variables(settings: Settings, source: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Set the environment variables of the prefix, bucket and source database of this test."""
    monkeypatch.setenv("PIN_PREFIX", settings.prefix)
    monkeypatch.setenv("PIN_BUCKET", settings.bucket)
    monkeypatch.setenv("PIN_SOURCE_URL", source)


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    with dg.instance_for_test(temp_dir=str(tmp_path)) as instance:
        yield instance


@pytest.fixture
def run(variables: None, instance: dg.DagsterInstance) -> Run:  # noqa: ARG001 - sets environment variables
    """Return a function that runs a job with the current variables; without a job, it materializes the given assets."""
    from pin_pipeline import definitions  # noqa: PLC0415 - reads environment variables at import

    def execute(job: str | None = None, *assets: str, **config: Any) -> dg.ExecuteInProcessResult:
        defs: dg.Definitions = reload(definitions).defs
        definition = defs.resolve_job_def(job) if job else defs.resolve_implicit_global_asset_job_def()
        return definition.execute_in_process(
            run_config=config,
            instance=instance,
            asset_selection=[dg.AssetKey.from_user_string(key) for key in assets] or None,
            raise_on_error=False,
        )

    return execute
