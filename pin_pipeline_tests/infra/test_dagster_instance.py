"""Dagster instance of the deployment: its configuration, on a real Postgres."""

from __future__ import annotations

import logging
import re
import signal
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest
from psycopg.conninfo import conninfo_to_dict

from pin_pipeline.local import postgres
from pin_pipeline.settings import Settings
from pin_pipeline_tests.infra.policies import INFRA


@pytest.fixture
def instance(settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    """Open the instance with a new database, whose URL has the form that the page about AWS tells users to set."""
    port = int(conninfo_to_dict(settings.postgres_url)["port"] or 0)
    url = postgres.url(settings.home, port, settings.prefix)
    postgres.create_database(url)
    [form] = re.findall(r"(postgresql\S*://)dagster:", (INFRA.parent / "docs" / "aws" / "README.md").read_text())
    monkeypatch.setenv("DAGSTER_POSTGRES_URL", form + url.partition("://")[2])
    (tmp_path / "dagster.yaml").write_text((INFRA / "dagster.yaml").read_text())
    handler = signal.getsignal(signal.SIGTERM)
    with dg.DagsterInstance.from_config(str(tmp_path)) as instance:
        yield instance
    signal.signal(signal.SIGTERM, handler)  # a run leaves it ignored, which child processes of later tests inherit


def test_runs_and_what_the_pipeline_logs_are_stored_in_postgres(instance: dg.DagsterInstance) -> None:
    @dg.op
    def log() -> None:
        logging.getLogger("pin_pipeline.batch").info("logged by the pipeline")

    @dg.job
    def example() -> None:
        log()

    assert example.execute_in_process(instance=instance).success
    [run] = instance.get_runs()
    assert run.status is dg.DagsterRunStatus.SUCCESS
    assert "logged by the pipeline" in [entry.user_message for entry in instance.all_logs(run.run_id)]
