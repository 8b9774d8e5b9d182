"""Commands `pin-pipeline streams` and `down`."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from pin_pipeline.settings import Settings
from pin_pipeline.streaming.jobs import STREAMING_JOBS
from pin_pipeline.streaming.supervision.heartbeat import Heartbeat, Heartbeats, QueryProgress
from pin_pipeline_tests.helpers.command_line import CommandLine, new_command_line
from pin_pipeline_tests.streaming.supervision.programs import local_jobs


@pytest.fixture
def command_line(tmp_path: Path, settings: Settings) -> Iterator[CommandLine]:
    """Command line that uses the servers of the test run, and a bucket per test."""
    with new_command_line(tmp_path) as command_line:
        assert settings.s3_endpoint_url
        command_line.variables |= {"PIN_S3_ENDPOINT_URL": settings.s3_endpoint_url, "PIN_BUCKET": settings.bucket}
        yield command_line


def test_status_shows_running_jobs_and_their_progress(command_line: CommandLine, settings: Settings) -> None:
    result = command_line.run("streams", "status")
    assert result.returncode == 1
    assert "kinesis_to_delta: down" in result.stdout
    assert "kafka_to_postgres: down" in result.stdout
    for job in STREAMING_JOBS:
        local_jobs(command_line.home).start(job)
    write_heartbeat(settings)
    shown = command_line.succeed("streams", "status", "kinesis_to_delta")
    [geo] = [line for line in shown.splitlines() if line.startswith("streams/geo ")]
    assert geo.split() == ["streams/geo", "1000", "12.3", "0.8", "2026-01-01", "12:00:00"]
    assert "kinesis_to_delta: running since" in shown
    assert "kafka_to_postgres" not in shown


def test_status_shows_neither_speed_nor_lag_of_a_process_that_has_ended(
    command_line: CommandLine, settings: Settings
) -> None:
    write_heartbeat(settings)
    expected = {
        "table": "streams/geo",
        "records": 1000,
        "records_per_second": None,
        "lag_seconds": None,
        "last_commit": "2026-01-01T12:00:00Z",
    }
    [stopped] = command_line.read_json("streams", "status", "kinesis_to_delta", exit_code=1)
    assert stopped["running_since"] is None
    assert stopped["tables"][1] == expected
    local_jobs(command_line.home).start("kinesis_to_delta")
    [started] = command_line.read_json("streams", "status", "kinesis_to_delta")
    assert started["running_since"] is not None
    assert started["tables"][1] == expected, "the heartbeat is that of the former process"


def write_heartbeat(settings: Settings) -> None:
    """Write a heartbeat of `kinesis_to_delta` with the progress of one table."""
    now, committed_at = datetime.now(UTC), datetime(2026, 1, 1, 12, tzinfo=UTC)
    progress = {"streams/geo": QueryProgress(now, 7, 1000, 12.34, 0.8, committed_at)}
    Heartbeats.of(settings).write(Heartbeat("kinesis_to_delta", now, now, progress))


def test_down_stops_the_streaming_jobs(command_line: CommandLine) -> None:
    for job in STREAMING_JOBS:
        local_jobs(command_line.home).start(job)
    assert command_line.succeed("down") == "stopped kinesis_to_delta, kafka_to_postgres\n"


def test_stop_command_is_recorded_as_a_run(command_line: CommandLine) -> None:
    local_jobs(command_line.home).start("kinesis_to_delta")
    assert command_line.succeed("streams", "stop") == "kinesis_to_delta: stopped\nkafka_to_postgres: not running\n"
    assert command_line.succeed("down") == "nothing was running\n"
    assert "kinesis_to_delta was stopped" in (command_line.home / "logs" / "stop_streams.log").read_text()


def test_unknown_job_and_missing_bucket_are_named(command_line: CommandLine) -> None:
    for command in ("start", "stop", "status"):
        assert "unknown streaming job 'delta': expected kinesis_to_delta or" in command_line.fail(
            "streams", command, "delta"
        )
    assert "could not read the heartbeat s3://nowhere/" in command_line.fail("streams", "status", PIN_BUCKET="nowhere")
