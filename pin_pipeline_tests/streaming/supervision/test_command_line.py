"""The streaming jobs by hand."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from pin_pipeline.settings import Settings
from pin_pipeline.streaming.jobs import STREAMING_JOBS
from pin_pipeline.streaming.supervision.heartbeat import Heartbeat, Heartbeats, QueryProgress
from pin_pipeline_tests.local.conftest import Machine, new_machine
from pin_pipeline_tests.streaming.supervision.programs import local_jobs


@pytest.fixture
def machine(tmp_path: Path, settings: Settings) -> Iterator[Machine]:
    """A machine that uses the servers of all tests, and a bucket of its own."""
    with new_machine(tmp_path) as machine:
        assert settings.s3_endpoint_url
        machine.variables |= {"PIN_S3_ENDPOINT_URL": settings.s3_endpoint_url, "PIN_BUCKET": settings.bucket}
        yield machine


def test_status_shows_which_jobs_run_and_how_far_they_are(machine: Machine, settings: Settings) -> None:
    answer = machine.run("streams", "status")
    assert answer.returncode == 1
    assert "kinesis_to_delta: down" in answer.stdout
    assert "kafka_to_postgres: down" in answer.stdout
    for job in STREAMING_JOBS:
        local_jobs(machine.home).start(job)
    now = datetime(2026, 1, 1, 12, tzinfo=UTC)
    progress = {"streams/geo": QueryProgress(now, 7, 1000, 12.34, 0.8, now)}
    Heartbeats.of(settings).write(Heartbeat("kinesis_to_delta", now, now, progress))
    shown = machine.succeed("streams", "status", "kinesis_to_delta")
    [geo] = [line for line in shown.splitlines() if "streams/geo" in line]
    assert [cell.strip() for cell in geo.split("│")[1:-1]] == [
        "streams/geo",
        "1000",
        "12.3",
        "0.8 s",
        "2026-01-01 12:00:00",
    ]
    assert "kinesis_to_delta: running since" in shown
    assert "kafka_to_postgres" not in shown


def test_down_stops_the_streaming_jobs(machine: Machine) -> None:
    for job in STREAMING_JOBS:
        local_jobs(machine.home).start(job)
    assert machine.succeed("down") == "stopped kinesis_to_delta, kafka_to_postgres\n"


def test_a_stop_by_hand_is_a_run_that_the_supervisor_knows_of(machine: Machine) -> None:
    local_jobs(machine.home).start("kinesis_to_delta")
    assert machine.succeed("streams", "stop", "kinesis_to_delta") == "stopped kinesis_to_delta\n"
    assert machine.succeed("down") == "nothing was running\n"
    assert "kinesis_to_delta was stopped" in (machine.home / "logs" / "stop_streams.log").read_text()


def test_a_job_that_is_none_and_a_bucket_that_is_away_are_named(machine: Machine) -> None:
    for command in ("start", "stop", "status"):
        assert "there is no streaming job 'delta'; there are kinesis_to_delta," in machine.fail(
            "streams", command, "delta"
        )
    assert "could not read the heartbeat s3://nowhere/" in machine.fail("streams", "status", PIN_BUCKET="nowhere")
