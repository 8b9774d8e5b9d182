"""The supervisor on a real instance of Dagster, with real processes and heartbeats on real S3."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from pin_pipeline.defs.resources.streaming_jobs import StreamingJobsResource
from pin_pipeline.defs.run_history import history, tag_of
from pin_pipeline.settings import Settings
from pin_pipeline.streaming.jobs import STREAMING_JOBS
from pin_pipeline.streaming.supervision.backend import JobStatus, StreamingJobs
from pin_pipeline.streaming.supervision.decision import Verb
from pin_pipeline.streaming.supervision.heartbeat import Heartbeat, Heartbeats, QueryProgress
from pin_pipeline_tests.streaming.supervision.programs import DIES, LIVES, local_jobs, pid_of, wait_until
from pin_pipeline_tests.streaming.supervision.supervisor import PIN, Supervisor

DELTA, POSTGRES = STREAMING_JOBS


class Programs(StreamingJobsResource):
    """Small programs in place of streaming jobs."""

    home: str
    command: list[str]
    unseen: list[str]

    def jobs(self) -> StreamingJobs:
        if self.unseen:
            return Unseen(self.unseen, local_jobs(Path(self.home)))
        return local_jobs(Path(self.home), tuple(self.command))


@dataclass
class Unseen(StreamingJobs):
    """Some jobs cannot be looked at."""

    names: list[str]
    others: StreamingJobs

    def start(self, name: str) -> bool:
        return self.others.start(name)

    def stop(self, name: str) -> bool:
        return self.others.stop(name)

    def status(self, name: str) -> JobStatus:
        if name in self.names:
            raise TimeoutError("throttled")
        return self.others.status(name)


@dataclass
class World(Supervisor):
    """A fleet, its supervisor, and what happens to them."""

    home: Path
    command: tuple[str, ...] = LIVES
    unseen: list[str] = field(default_factory=list)

    def streaming_jobs(self) -> StreamingJobsResource:
        return Programs(home=str(self.home), command=[*self.command], unseen=self.unseen)

    def heartbeat(self, job: str, *, age: float = 0, failure: str | None = None, **progress: Any) -> None:
        """The job writes a heartbeat."""
        at = datetime.now(UTC) - timedelta(seconds=age)
        query = replace(QueryProgress(at, batch=1, lag_seconds=0.5), **progress)
        queries = dict.fromkeys(STREAMING_JOBS[job].tables, query)
        Heartbeats.of(self.settings).write(Heartbeat(job, at, at, queries, failure))

    def kill(self, job: str) -> None:
        os.kill(pid_of(self.home, job), signal.SIGKILL)
        wait_until(lambda: not self.alive(job))

    def alive(self, job: str) -> bool:
        return local_jobs(self.home).status(job).since is not None

    def started_ago(self, job: str, seconds: float) -> None:
        """Have it that the job was started so long ago."""
        os.utime(self.home / f"{job}.pid", (time.time() - seconds,) * 2)


@pytest.fixture
def world(settings: Settings, tmp_path: Path) -> Iterator[World]:
    with dg.DagsterInstance.ephemeral() as instance:
        yield World(settings, instance, tmp_path)
    for job in STREAMING_JOBS:
        local_jobs(tmp_path).stop(job)


def record_types(events: list[Any], key: dg.AssetKey = PIN) -> list[type]:
    """The kinds of the events of a table, without its checks."""
    return [
        type(event) for event in events if event.asset_key == key and not isinstance(event, dg.AssetCheckEvaluation)
    ]


def requested(data: Any) -> list[tuple[str, str]]:
    return [(request.job_name, request.run_key) for request in data.run_requests]


def test_what_was_never_started_is_started_once_each(world: World) -> None:
    world.tick()
    assert world.checks()["running"] == (False, "starting")
    assert world.alive(DELTA)
    assert world.alive(POSTGRES)
    data = world.evaluate()
    assert requested(data) == []
    assert data.skip_message == "; ".join(
        f"{job}: starting, starting since {local_jobs(world.home).status(job).since:%Y-%m-%d %H:%M:%S} UTC"
        for job in STREAMING_JOBS
    )


def test_a_job_that_writes_heartbeats_is_alive_and_its_tables_advance_only_when_they_did(world: World) -> None:
    world.start()
    world.heartbeat(DELTA)
    assert record_types(world.tick()) == [dg.AssetObservation]
    assert world.checks() == {"running": (True, "alive"), "lag": (True, "up to date")}
    commit = datetime.now(UTC)
    world.heartbeat(DELTA, records=10, records_per_second=2.5, committed_at=commit, batch=3)
    assert record_types(world.tick()) == [dg.AssetMaterialization]
    event = world.instance.get_latest_materialization_event(PIN)
    assert event
    assert event.asset_materialization
    assert {name: value.value for name, value in event.asset_materialization.metadata.items()} == {
        "batch": 3,
        "records_since_start": 10,
        "records_per_second": 2.5,
        "lag_seconds": 0.5,
        "last_commit": commit.timestamp(),
    }
    world.heartbeat(DELTA, records=10, committed_at=commit)
    assert record_types(world.tick()) == [dg.AssetObservation], "that it went on no more is news, once"
    world.heartbeat(DELTA, records=10, committed_at=commit)
    assert world.tick() == [], "what has not changed does not fill the event log"


def test_a_job_that_was_started_again_has_advanced_when_it_committed_again(world: World) -> None:
    world.start()
    commit = datetime.now(UTC)
    world.heartbeat(DELTA, records=10, committed_at=commit)
    assert record_types(world.tick()) == [dg.AssetMaterialization]
    world.kill(DELTA)
    world.start(DELTA)
    world.heartbeat(DELTA, records=2, committed_at=commit + timedelta(seconds=1))
    assert record_types(world.tick()) == [dg.AssetMaterialization]


def test_a_killed_job_is_started_again_once_however_often_its_tick_is_evaluated(world: World) -> None:
    world.start()
    world.heartbeat(DELTA)
    world.heartbeat(POSTGRES)
    world.tick()
    world.kill(DELTA)
    [(job, key)] = requested(world.evaluate())
    assert job == "start_streams"
    assert requested(world.evaluate(cursor="of another time")) == [(job, key)], "the daemon runs a key once"
    first = pid_of(world.home, DELTA)
    world.tick()
    assert world.checks()["running"] == (False, "dead")
    assert world.alive(DELTA)
    assert pid_of(world.home, DELTA) != first
    other = pid_of(world.home, POSTGRES)
    assert requested(world.evaluate()) == []
    assert pid_of(world.home, POSTGRES) == other
    world.heartbeat(DELTA)
    world.tick()
    assert world.checks()["running"] == (True, "alive")


def test_a_job_that_dies_again_waits_for_its_next_start(world: World) -> None:
    world.start(supervised=True)
    world.kill(DELTA)
    data = world.evaluate()
    assert requested(data) == []
    assert "dead, it died before it said anything; attempt 2 to start it in" in data.skip_message
    assert history(world.instance, DELTA)[0].supervised


def test_after_the_machine_was_started_anew_each_job_is_started_once(world: World) -> None:
    world.start()
    for job in STREAMING_JOBS:
        world.kill(job)
        (world.home / f"{job}.pid").write_text(str(os.getpid()))  # another process has the number by now
    world.tick()
    for job in STREAMING_JOBS:
        assert world.alive(job)
        assert pid_of(world.home, job) != os.getpid()
    assert requested(world.evaluate()) == []


def test_a_job_that_dies_at_once_is_given_up_and_the_check_says_what_to_do(world: World) -> None:
    world.command = DIES
    for _ in range(5):
        world.start(supervised=True)
        for job in STREAMING_JOBS:
            wait_until(lambda job=job: not world.alive(job))  # type: ignore[misc]
    world.heartbeat(DELTA, failure="no such table")
    assert requested(world.evaluate()) == []
    world.tick()
    assert world.checks()["running"] == (False, "exhausted")
    assert world.words("reason") == "gave up after 5 attempts to start it: it died: no such table"
    assert world.words("what_to_do") == "see its log, mend the cause, then run the job start_streams"
    assert Path(world.words("log")).read_text() == "no such table\n"
    world.command = LIVES
    world.start(DELTA)
    world.heartbeat(DELTA)
    world.tick()
    assert world.checks()["running"] == (True, "alive")


def test_what_a_person_stops_stays_stopped_until_a_person_starts_it(world: World) -> None:
    world.start()
    world.heartbeat(DELTA)
    world.heartbeat(POSTGRES)
    world.tick()
    world.stop(DELTA)
    assert not world.alive(DELTA)
    assert world.alive(POSTGRES)
    assert requested(world.evaluate()) == []
    world.tick()
    assert world.checks()["running"] == (False, "stopped")
    assert world.words("what_to_do") == "to start it, run the job start_streams"
    assert world.checks(dg.AssetKey(["realtime", "category_trends"]))["running"] == (True, "alive")
    world.start(DELTA)
    world.heartbeat(DELTA)
    world.tick()
    assert world.checks()["running"] == (True, "alive")


def test_a_start_that_was_overtaken_by_a_stop_is_undone(world: World) -> None:
    world.stop(DELTA)
    world.start(DELTA, supervised=True)
    assert world.alive(DELTA)
    assert [job for job, _ in requested(world.evaluate())] == ["stop_streams", "start_streams"]
    world.tick()
    assert not world.alive(DELTA)
    assert world.alive(POSTGRES)


@pytest.mark.parametrize("silence", ["no heartbeat", "old heartbeat", "query that hangs"])
def test_a_job_that_lives_but_does_nothing_is_seen_and_left_alone(world: World, silence: str) -> None:
    world.start()
    world.started_ago(DELTA, 1000)
    if silence == "old heartbeat":
        world.heartbeat(DELTA, age=100)
    if silence == "query that hangs":
        world.heartbeat(DELTA, reported_at=datetime.now(UTC) - timedelta(seconds=400))
    before = pid_of(world.home, DELTA)
    world.tick()
    assert world.checks()["running"] == (False, "stalled")
    assert world.checks()["lag"][1] == ("unknown" if silence == "no heartbeat" else "behind")
    assert "run the job stop_streams" in world.words("what_to_do")
    assert (world.alive(DELTA), pid_of(world.home, DELTA)) == (True, before)


def test_a_lag_fails_its_check_and_no_other(world: World) -> None:
    world.start()
    world.heartbeat(DELTA, lag_seconds=61.0)
    world.tick()
    assert world.checks() == {"running": (True, "alive"), "lag": (False, "behind")}


def test_what_cannot_be_looked_at_is_unknown_and_not_started(world: World) -> None:
    world.unseen = [DELTA]
    assert [key for _, key in requested(world.evaluate())] == [f"start {POSTGRES} after nothing"]
    world.tick()
    assert world.checks() == {"running": (False, "unknown"), "lag": (False, "unknown")}
    assert world.words("reason") == "could not be looked at: TimeoutError: throttled"
    assert not world.alive(DELTA)


@pytest.mark.parametrize("away", ["processes", "heartbeats"])
def test_where_nothing_can_be_looked_at_the_tick_fails_and_does_nothing(world: World, away: str) -> None:
    if away == "processes":
        world.unseen = [*STREAMING_JOBS]
    else:
        world.settings = replace(world.settings, bucket="nowhere")
    with pytest.raises(dg.Failure, match="no streaming job could be looked at"):
        world.evaluate()


def test_a_run_says_by_its_tags_what_it_did_whoever_asked_for_it(world: World) -> None:
    world.run("start_streams")
    [record] = world.instance.get_run_records()
    assert {tag_of(job): "start" for job in STREAMING_JOBS}.items() <= record.dagster_run.tags.items()
    world.stop(POSTGRES)
    commands = history(world.instance, POSTGRES)
    assert [(command.verb, command.supervised, command.under_way) for command in commands] == [
        (Verb.STOP, False, False),
        (Verb.START, False, False),
    ]
    assert len(history(world.instance, DELTA)) == 1


def test_a_streaming_job_that_is_none_is_named(world: World) -> None:
    with pytest.raises(Exception, match="there is no streaming job 'delta'; there are kinesis_to_delta, kafka_to"):
        world.start("delta")


def test_the_checks_can_be_evaluated_by_hand(world: World) -> None:
    world.start()
    world.heartbeat(DELTA)
    selection = dg.AssetSelection.checks(*(dg.AssetCheckKey(PIN, name) for name in ("running", "lag")))
    defs = dg.Definitions.merge(world.defs, dg.Definitions(jobs=[dg.define_asset_job("by_hand", selection)]))
    assert defs.resolve_job_def("by_hand").execute_in_process(instance=world.instance).success
    assert world.checks() == {"running": (True, "alive"), "lag": (True, "up to date")}
