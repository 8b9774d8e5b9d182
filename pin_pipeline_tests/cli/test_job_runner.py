"""Jobs that a command runs: their result, their failure, and their run in the UI."""

from __future__ import annotations

from pathlib import Path

import pytest
from dagster import DagsterInstance, DagsterRunStatus

from pin_pipeline.cli.job_runner import run_job
from pin_pipeline.local.dagster_ui import COMMAND_TAG, dagster_home
from pin_pipeline.local.errors import LocalError
from pin_pipeline.settings import Settings

JOB = "restart_connector"


@pytest.fixture
def settings(clean_environment: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:  # noqa: ARG001
    monkeypatch.setenv("PIN_HOME", str(tmp_path))
    monkeypatch.setenv("DAGSTER_HOME", str(dagster_home(tmp_path)))
    return Settings.load()


def test_job_returns_the_seconds_of_its_steps_and_is_a_run_in_the_ui(settings: Settings) -> None:
    seconds = run_job(settings, JOB, {})
    assert list(seconds) == ["restart"]
    assert 0 < seconds["restart"] < 10
    with DagsterInstance.get() as instance:
        [run] = instance.get_runs()
    assert (run.job_name, run.status) == (JOB, DagsterRunStatus.SUCCESS)
    assert COMMAND_TAG in run.tags


@pytest.mark.parametrize(
    ("job", "config", "cause"),
    [
        (JOB, {"ops": {"no_op": {}}}, 'Received unexpected config entry "no_op"'),
        ("emulation", {"ops": {"post": {"config": {"draws": 1}}}}, "source.db does not exist: create and fill it"),
    ],
)
def test_failed_job_names_its_log_which_has_the_cause(
    settings: Settings, job: str, config: dict[str, object], cause: str
) -> None:
    with pytest.raises(LocalError, match=f"job {job} failed: ") as failure:
        run_job(settings, job, config)
    log = settings.home / "logs" / f"{job}.log"
    assert f"see the errors in {log}, " in str(failure.value)
    assert cause in log.read_text()
