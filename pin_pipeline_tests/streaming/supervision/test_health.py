"""Health checks of a streaming job: their metadata explains a failure and names the next step."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from pin_pipeline.reports import Check, Severity
from pin_pipeline.streaming.jobs import STREAMING_JOBS
from pin_pipeline.streaming.supervision.backend import JobStatus
from pin_pipeline.streaming.supervision.decision import Decision, JobObservation, JobState
from pin_pipeline.streaming.supervision.health import JobHealth
from pin_pipeline.streaming.supervision.heartbeat import Heartbeat, QueryProgress

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
TABLE = "streams/pin"


def checks(state: JobState, lag_seconds: float | None = None, age_seconds: float = 0) -> dict[str, Check]:
    """Return the checks of a table whose query reported its lag some seconds ago."""
    job = STREAMING_JOBS["kinesis_to_delta"]
    progress = QueryProgress(NOW - timedelta(seconds=age_seconds), lag_seconds=lag_seconds)
    observation = JobObservation(JobStatus(NOW, "the log"), Heartbeat(job.name, NOW, NOW, {TABLE: progress}))
    health = JobHealth(job, observation, Decision(state, "the reason"), NOW)
    assert str(health) == f"kinesis_to_delta is {state}: the reason"
    return {check.name: check for check in health.checks(TABLE)}


@pytest.mark.parametrize("state", [state for state in JobState if state is not JobState.ALIVE])
def test_failed_running_check_has_a_reason_a_log_and_a_next_step(state: JobState) -> None:
    check = checks(state)["running"]
    mild = state in {JobState.STARTING, JobState.STOPPED, JobState.UNKNOWN}
    assert (check.passed, check.severity) == (False, Severity.WARN if mild else Severity.ERROR)
    next_step = str(check.metadata["next_step"])
    assert check.metadata == {"state": state, "reason": "the reason", "log": "the log", "next_step": next_step}
    assert next_step.endswith(".")


def test_running_check_passes_for_a_job_that_is_alive() -> None:
    check = checks(JobState.ALIVE)["running"]
    assert check.passed
    assert check.metadata == {"state": "alive", "reason": "the reason", "log": "the log"}


@pytest.mark.parametrize(("lag_seconds", "age_seconds"), [(61, 0), (0, 61), (30, 31)])
def test_lag_check_counts_the_time_since_the_report(lag_seconds: float, age_seconds: float) -> None:
    check = checks(JobState.ALIVE, lag_seconds, age_seconds)["lag"]
    assert (check.passed, check.severity) == (False, Severity.WARN)
    assert check.metadata == {
        "state": "behind",
        "reason": "records that arrived up to 61 s ago may be missing; 60 s are allowed",
        "next_step": (
            "See the check `running` of this table. If it passes, wait until the job has processed the backlog."
        ),
        "lag_seconds_at_most": 61.0,
    }
    assert checks(JobState.ALIVE, lag_seconds - 1, age_seconds)["lag"].metadata == {
        "state": "up to date",
        "lag_seconds_at_most": 60.0,
    }


def test_lag_check_without_a_reported_lag_is_unknown() -> None:
    check = checks(JobState.STARTING)["lag"]
    assert (check.passed, check.severity, check.metadata["state"]) == (False, Severity.WARN, "unknown")
    assert check.metadata["next_step"] == "See the check `running` of this table."
