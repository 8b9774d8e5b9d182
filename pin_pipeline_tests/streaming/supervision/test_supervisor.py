"""Stream supervisor on a real Dagster instance, with real processes and heartbeats on real S3."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from pin_pipeline.defs.stream_supervisor import command_history, job_tag
from pin_pipeline.settings import Settings
from pin_pipeline.streaming.jobs import STREAMING_JOBS
from pin_pipeline.streaming.supervision.decision import Verb
from pin_pipeline_tests.helpers.waiting import wait_until
from pin_pipeline_tests.streaming.supervision.programs import DIES, LIVES, local_jobs, pid_of
from pin_pipeline_tests.streaming.supervision.supervised_programs import SupervisedPrograms
from pin_pipeline_tests.streaming.supervision.supervisor import PIN

DELTA, POSTGRES = STREAMING_JOBS


@pytest.fixture
def supervisor(settings: Settings, tmp_path: Path) -> Iterator[SupervisedPrograms]:
    with dg.DagsterInstance.ephemeral() as instance:
        yield SupervisedPrograms(settings, instance, tmp_path)
    for job in STREAMING_JOBS:
        local_jobs(tmp_path).stop(job)


def event_types(events: list[Any], key: dg.AssetKey = PIN) -> list[type]:
    """Return the types of the events of a table, without its checks."""
    return [
        type(event) for event in events if event.asset_key == key and not isinstance(event, dg.AssetCheckEvaluation)
    ]


def requested(data: Any) -> list[tuple[str, str]]:
    return [(request.job_name, request.run_key) for request in data.run_requests]


def test_supervisor_starts_each_job_that_was_never_started_once(supervisor: SupervisedPrograms) -> None:
    supervisor.tick()
    assert supervisor.checks()["running"] == (False, "starting")
    assert supervisor.alive(DELTA)
    assert supervisor.alive(POSTGRES)
    data = supervisor.evaluate()
    assert requested(data) == []
    assert data.skip_message == "; ".join(
        f"{job} is starting: its process started at {since:%Y-%m-%d %H:%M:%S} UTC; no query is running yet"
        for job in STREAMING_JOBS
        if (since := local_jobs(supervisor.home).status(job).since)
    )


def test_supervisor_reports_a_materialization_only_for_a_new_commit(supervisor: SupervisedPrograms) -> None:
    supervisor.start()
    supervisor.heartbeat(DELTA)
    assert event_types(supervisor.tick()) == [dg.AssetObservation]
    assert supervisor.checks() == {"running": (True, "alive"), "lag": (True, "up to date")}
    commit = datetime.now(UTC)
    supervisor.heartbeat(DELTA, records=10, records_per_second=2.5, committed_at=commit, batch=3)
    assert event_types(supervisor.tick()) == [dg.AssetMaterialization]
    event = supervisor.instance.get_latest_materialization_event(PIN)
    assert event
    assert event.asset_materialization
    assert {name: value.value for name, value in event.asset_materialization.metadata.items()} == {
        "batch": 3,
        "records_since_start": 10,
        "records_per_second": 2.5,
        "lag_seconds": 0.5,
        "last_commit": commit.timestamp(),
    }
    supervisor.heartbeat(DELTA, records=10, committed_at=commit)
    assert event_types(supervisor.tick()) == [dg.AssetObservation], "the end of the new data is reported once"
    supervisor.heartbeat(DELTA, records=10, committed_at=commit)
    assert supervisor.tick() == [], "an unchanged state is not reported again"


def test_supervisor_reports_a_materialization_for_the_first_commit_after_a_restart(
    supervisor: SupervisedPrograms,
) -> None:
    supervisor.start()
    commit = datetime.now(UTC)
    supervisor.heartbeat(DELTA, records=10, committed_at=commit)
    assert event_types(supervisor.tick()) == [dg.AssetMaterialization]
    supervisor.kill(DELTA)
    supervisor.start(DELTA)
    supervisor.heartbeat(DELTA, records=2, committed_at=commit + timedelta(seconds=1))
    assert event_types(supervisor.tick()) == [dg.AssetMaterialization]


def test_supervisor_restarts_a_killed_job_once_when_a_tick_is_evaluated_twice(supervisor: SupervisedPrograms) -> None:
    supervisor.start()
    supervisor.heartbeat(DELTA)
    supervisor.heartbeat(POSTGRES)
    supervisor.tick()
    supervisor.kill(DELTA)
    [(job, key)] = requested(supervisor.evaluate())
    assert job == "start_streams"
    assert requested(supervisor.evaluate(cursor="of another tick")) == [(job, key)], "the daemon runs a key once"
    first = pid_of(supervisor.home, DELTA)
    supervisor.tick()
    assert supervisor.checks()["running"] == (False, "dead")
    assert supervisor.alive(DELTA)
    assert pid_of(supervisor.home, DELTA) != first
    other = pid_of(supervisor.home, POSTGRES)
    assert requested(supervisor.evaluate()) == []
    assert pid_of(supervisor.home, POSTGRES) == other
    supervisor.heartbeat(DELTA)
    supervisor.tick()
    assert supervisor.checks()["running"] == (True, "alive")


def test_supervisor_delays_the_restart_of_a_job_that_dies_again(supervisor: SupervisedPrograms) -> None:
    supervisor.start(supervised=True)
    supervisor.kill(DELTA)
    data = supervisor.evaluate()
    assert requested(data) == []
    assert (
        f"{DELTA} is dead: its process exited before the first heartbeat; attempt 2 to start it follows in"
        in data.skip_message
    )
    assert command_history(supervisor.instance, DELTA)[0].supervised


def test_supervisor_starts_each_job_once_after_a_reboot(supervisor: SupervisedPrograms) -> None:
    supervisor.start()
    for job in STREAMING_JOBS:
        supervisor.kill(job)
        (supervisor.home / f"{job}.pid").write_text(
            str(os.getpid())
        )  # the PID belongs to another process after a reboot
    supervisor.tick()
    for job in STREAMING_JOBS:
        assert supervisor.alive(job)
        assert pid_of(supervisor.home, job) != os.getpid()
    assert requested(supervisor.evaluate()) == []


def test_supervisor_gives_up_on_a_job_that_dies_at_once_and_shows_the_next_step(supervisor: SupervisedPrograms) -> None:
    supervisor.command = DIES
    for _ in range(5):
        supervisor.start(supervised=True)
        for job in STREAMING_JOBS:
            wait_until(lambda job=job: not supervisor.alive(job))  # type: ignore[misc]
    supervisor.heartbeat(DELTA, failure="no such table")
    assert requested(supervisor.evaluate()) == []
    supervisor.tick()
    assert supervisor.checks()["running"] == (False, "exhausted")
    reason = "the supervisor gave up after 5 attempts to start it: its process failed: no such table"
    assert supervisor.metadata("reason") == reason
    assert supervisor.metadata("next_step") == "Read its log, fix the cause, then run the job start_streams."
    assert Path(supervisor.metadata("log")).read_text() == "no such table\n"
    supervisor.command = LIVES
    supervisor.start(DELTA)
    supervisor.heartbeat(DELTA)
    supervisor.tick()
    assert supervisor.checks()["running"] == (True, "alive")


def test_supervisor_leaves_a_job_stopped_until_a_user_starts_it(supervisor: SupervisedPrograms) -> None:
    supervisor.start()
    supervisor.heartbeat(DELTA)
    supervisor.heartbeat(POSTGRES)
    supervisor.tick()
    supervisor.stop(DELTA)
    assert not supervisor.alive(DELTA)
    assert supervisor.alive(POSTGRES)
    assert requested(supervisor.evaluate()) == []
    supervisor.tick()
    assert supervisor.checks()["running"] == (False, "stopped")
    assert supervisor.metadata("next_step") == "To start it, run the job start_streams."
    assert supervisor.checks(dg.AssetKey(["realtime", "category_trends"]))["running"] == (True, "alive")
    supervisor.start(DELTA)
    supervisor.heartbeat(DELTA)
    supervisor.tick()
    assert supervisor.checks()["running"] == (True, "alive")


def test_supervisor_logs_the_state_of_a_job_only_when_it_changes(
    supervisor: SupervisedPrograms, capfd: pytest.CaptureFixture[str]
) -> None:
    def logged() -> list[str]:
        out, err = capfd.readouterr()
        return [f"{job} is {state}" for job, state in re.findall(r"(\w+) is (\w+):", out + err)]

    supervisor.start()
    supervisor.heartbeat(DELTA)
    supervisor.heartbeat(POSTGRES)
    logged()
    first = supervisor.evaluate()
    assert logged() == [f"{DELTA} is alive", f"{POSTGRES} is alive"]
    second = supervisor.evaluate(first.cursor)
    assert logged() == []
    assert f"{DELTA} is alive" in second.skip_message, "the tick shows the state nevertheless"
    supervisor.kill(DELTA)
    supervisor.evaluate(second.cursor)
    assert logged() == [f"{DELTA} is dead"]


def test_supervisor_undoes_a_start_that_was_overtaken_by_a_stop(supervisor: SupervisedPrograms) -> None:
    supervisor.stop(DELTA)
    supervisor.start(DELTA, supervised=True)
    assert supervisor.alive(DELTA)
    assert [job for job, _ in requested(supervisor.evaluate())] == ["stop_streams", "start_streams"]
    supervisor.tick()
    assert not supervisor.alive(DELTA)
    assert supervisor.alive(POSTGRES)


@pytest.mark.parametrize("silence", ["no heartbeat", "old heartbeat", "query that hangs"])
def test_supervisor_reports_a_stalled_job_and_does_not_restart_it(supervisor: SupervisedPrograms, silence: str) -> None:
    supervisor.start()
    supervisor.set_age(DELTA, 1000)
    if silence == "old heartbeat":
        supervisor.heartbeat(DELTA, age=100)
    if silence == "query that hangs":
        supervisor.heartbeat(DELTA, reported_at=datetime.now(UTC) - timedelta(seconds=400))
    before = pid_of(supervisor.home, DELTA)
    supervisor.tick()
    assert supervisor.checks()["running"] == (False, "stalled")
    assert supervisor.checks()["lag"][1] == ("unknown" if silence == "no heartbeat" else "behind")
    assert "run the job stop_streams" in supervisor.metadata("next_step")
    assert (supervisor.alive(DELTA), pid_of(supervisor.home, DELTA)) == (True, before)


def test_lag_fails_only_its_own_check(supervisor: SupervisedPrograms) -> None:
    supervisor.start()
    supervisor.heartbeat(DELTA, lag_seconds=61.0)
    supervisor.tick()
    assert supervisor.checks() == {"running": (True, "alive"), "lag": (False, "behind")}


def test_supervisor_does_not_start_a_job_whose_status_is_unknown(supervisor: SupervisedPrograms) -> None:
    supervisor.unreadable = [DELTA]
    assert [key for _, key in requested(supervisor.evaluate())] == [f"start {POSTGRES} after nothing"]
    supervisor.tick()
    assert supervisor.checks() == {"running": (False, "unknown"), "lag": (False, "unknown")}
    assert supervisor.metadata("reason") == "its status could not be read: TimeoutError: throttled"
    assert not supervisor.alive(DELTA)


@pytest.mark.parametrize("unavailable", ["processes", "heartbeats"])
def test_tick_fails_and_requests_nothing_when_no_status_can_be_read(
    supervisor: SupervisedPrograms, unavailable: str
) -> None:
    if unavailable == "processes":
        supervisor.unreadable = [*STREAMING_JOBS]
    else:
        supervisor.settings = supervisor.settings.model_copy(update={"bucket": "missing"})
    with pytest.raises(
        dg.Failure, match="the state of no streaming job could be read, so none was started or stopped: "
    ):
        supervisor.evaluate()


def test_runs_are_tagged_with_the_commands_that_they_execute(supervisor: SupervisedPrograms) -> None:
    supervisor.run("start_streams")
    [record] = supervisor.instance.get_run_records()
    assert {job_tag(job): "start" for job in STREAMING_JOBS}.items() <= record.dagster_run.tags.items()
    supervisor.stop(POSTGRES)
    commands = command_history(supervisor.instance, POSTGRES)
    assert [(command.verb, command.supervised, command.under_way) for command in commands] == [
        (Verb.STOP, False, False),
        (Verb.START, False, False),
    ]
    assert len(command_history(supervisor.instance, DELTA)) == 1


def test_start_names_an_unknown_streaming_job(supervisor: SupervisedPrograms) -> None:
    with pytest.raises(
        Exception, match="unknown streaming job 'delta': expected kinesis_to_delta or kafka_to_postgres"
    ):
        supervisor.start("delta")


def test_health_checks_can_be_run_by_a_job(supervisor: SupervisedPrograms) -> None:
    supervisor.start()
    supervisor.heartbeat(DELTA)
    selection = dg.AssetSelection.checks(*(dg.AssetCheckKey(PIN, name) for name in ("running", "lag")))
    defs = dg.Definitions.merge(supervisor.defs, dg.Definitions(jobs=[dg.define_asset_job("by_hand", selection)]))
    assert defs.resolve_job_def("by_hand").execute_in_process(instance=supervisor.instance).success
    assert supervisor.checks() == {"running": (True, "alive"), "lag": (True, "up to date")}
