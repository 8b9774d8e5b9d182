"""An environment that the code before the vocabulary change filled, opened and continued by the current code.

README.md describes the environment. The tests use the command line, Dagster and the stored data only.
"""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
import tarfile
import urllib.request
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from pin_pipeline_tests.helpers.command_line import CommandLine, new_command_line
from pin_pipeline_tests.helpers.waiting import wait_until
from pin_pipeline_tests.upgrade.stored_state import StoredState

FOLDER = Path(__file__).parent
EXPECTED = json.loads((FOLDER / "expected.json").read_text())
BEFORE, WAITING, AFTER = EXPECTED["before"], EXPECTED["waiting"], EXPECTED["after"]
VARIABLES = {
    "PIN_KINESIS_RETENTION_SECONDS": "3000000000",  # a year is the default, and the waiting records get older
}
CHECK_NAMES = {
    "audited": "reconciled",
    "columns_filled": "null_rate",
    "every_record_accounted_for": "record_counts_reconcile",
    "keys_unique_and_present": "primary_key_unique_not_null",
    "posts_complete": "referential_integrity",
}
"""Names of the renamed checks, by their former name."""
TIME_DEPENDENT_CHECKS = {"fresh", "volume_anomaly"}
STREAMING_JOBS = ("kinesis_to_delta", "kafka_to_postgres")
CATCH_UP_SECONDS = 300
POLL_SECONDS = 0.5
"""Pause between two readings of the heartbeats, which the jobs write every few seconds."""


@dataclass(frozen=True)
class UpgradedEnvironment:
    """An environment with running servers, whose state was stored by the former code."""

    command_line: CommandLine
    state: StoredState

    def dagster(self, *command: str) -> str:
        """Run a `dagster` command on the definitions, and return its output."""
        result = subprocess.run(
            [sys.executable, "-m", "dagster", *command, "-m", "pin_pipeline.definitions"],
            env=self.command_line.environment(**self.state.variables),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        assert result.returncode == 0, result.stdout[-5000:]
        return result.stdout


@pytest.fixture
def environment(clean_environment: None, tmp_path: Path) -> Iterator[UpgradedEnvironment]:  # noqa: ARG001
    with new_command_line(tmp_path) as command_line:
        command_line.variables |= VARIABLES
        with tarfile.open(FOLDER / "state_before_vocabulary.tar.xz") as archive:
            archive.extractall(command_line.home, filter="tar")  # "data" would change the mode of Postgres' folder
        command_line.succeed("up")
        exports = shlex.split(command_line.succeed("env"))
        variables = dict(word.split("=", 1) for word in exports if word != "export")
        yield UpgradedEnvironment(command_line, StoredState(command_line.home, variables))


def test_upgrade_reads_the_stored_state_and_continues_the_streaming_jobs_and_the_daily_batch(
    environment: UpgradedEnvironment,
) -> None:
    _assert_stored_state_is_read(environment)
    _assert_jobs_continue(environment)
    assert environment.command_line.succeed("down") == "stopped dashboard, gateway, postgres, kinesis, s3, kafka\n"


def _assert_stored_state_is_read(environment: UpgradedEnvironment) -> None:
    state = environment.state
    assert state.landed_objects() == BEFORE["s3"]["landed_objects"]
    assert state.delta_tables() == _facts(BEFORE["delta"], "rows", "rows_by_reason")
    assert state.postgres_tables() == _facts(BEFORE["postgres"]["relations"], "rows", "rows_by_reason")
    assert state.checkpoints().keys() == BEFORE["checkpoints"].keys()
    _assert_tables_are_shown(environment)
    _assert_quarantine_is_listed(environment)
    _assert_heartbeats_are_shown(environment)
    _assert_dashboard_shows_progress(state)
    assert _previewed_states(environment) == dict.fromkeys(STREAMING_JOBS, "stopped")


def _assert_jobs_continue(environment: UpgradedEnvironment) -> None:
    state = environment.state
    _run_streaming_jobs(environment)
    environment.dagster("job", "execute", "-j", "daily_batch")
    _assert_waiting_records_are_landed_once(state)
    _assert_checks_continue(state)
    _assert_progress_continues(state)
    assert state.delta_tables() == AFTER["delta"]
    assert state.postgres_tables() == AFTER["postgres"]
    assert state.checkpoints() == AFTER["checkpoints"]
    for command in ("reconcile", "audit"):
        assert _reconciled(environment, command) == AFTER["audit"]


def _assert_tables_are_shown(environment: UpgradedEnvironment) -> None:
    for key in ("cleaned/pin", "quarantine/pin", "quarantine/summary", "queries/users_joined_by_year", "streams/user"):
        shown = environment.command_line.read_json("show", key, "--rows", "1000")
        assert len(shown) == BEFORE["delta"][key]["rows"]


def _assert_quarantine_is_listed(environment: UpgradedEnvironment) -> None:
    """Assert that the list leaves out what the replay of the pins published, with and without a filter."""
    listed: dict[str, Counter[str]] = {}
    for row in environment.command_line.read_json("quarantine", "list"):
        record_type, source, _ = row["record"].split("/")
        key = f"quarantine/{record_type}" if source.isdecimal() else f"quarantine/streams/{record_type}"
        listed.setdefault(key, Counter())[row["reason"]] += 1
    quarantines = {key: facts for key, facts in BEFORE["delta"].items() if "rows_by_reason" in facts}
    assert listed == {key: facts["rows_by_reason"] for key, facts in quarantines.items()}
    assert environment.command_line.read_json("quarantine", "show", "pin/0/12")["reason"] == "not_json"
    selection = ("--record-type", "pin", "--reason", "not_json")
    selected = environment.command_line.read_json("quarantine", "list", *selection)
    assert len(selected) == listed["quarantine/pin"]["not_json"] + listed["quarantine/streams/pin"]["not_json"]


def _assert_heartbeats_are_shown(environment: UpgradedEnvironment) -> None:
    """Assert that the last progress of each query is shown although no job is running."""
    heartbeats = BEFORE["heartbeats"].values()
    assert environment.state.heartbeats() == BEFORE["heartbeats"]
    expected = {
        table: [query["records"], None, None, f"{query['committed_at'][:19]}Z"]
        for heartbeat in heartbeats
        for table, query in heartbeat["queries"].items()
    }
    jobs = environment.command_line.read_json("streams", "status", exit_code=1)
    shown = [[*table.values()] for job in jobs for table in job["tables"]]
    assert {table: cells for table, *cells in shown} == expected


def _assert_dashboard_shows_progress(state: StoredState) -> None:
    with urllib.request.urlopen(f"{state.variables['PIN_DASHBOARD_URL']}/data") as response:  # noqa: S310 - local
        data = json.load(response)
    assert (data["realtime"]["error"], data["tables"]["error"]) == (None, None)
    for key, shown in data["tables"]["result"].items():
        stored = BEFORE["delta"][key]["last_commit_metadata"]
        assert (shown["records"], shown["quarantined"]) == (stored["records"], stored["quarantined"])


def _previewed_states(environment: UpgradedEnvironment) -> dict[str, str]:
    """Evaluate the stream supervisor on the run history, without storing its events, and return the job states."""
    output = environment.dagster("sensor", "preview", "stream_supervisor")
    [line] = [line for line in output.splitlines() if line.startswith("Sensor returned false for stream_supervisor")]
    _, _, decisions = line.partition("skipping: ")
    return {
        job: state for job, _, state in (decision.partition(":")[0].split(" ", 2) for decision in decisions.split("; "))
    }


def _run_streaming_jobs(environment: UpgradedEnvironment) -> None:
    state, topics, streams = environment.state, WAITING["topics"], WAITING["streams"]
    expected = {
        **{f"streams/{name.rpartition('-')[2]}": records for name, records in streams.items()},
        **dict.fromkeys(_queries("kafka_to_postgres"), topics["pinterest.pin"]["records"]),
    }

    def have_caught_up() -> bool:
        records = _new_records(state)
        return all(records.get(table, 0) >= waiting_records for table, waiting_records in expected.items())

    environment.command_line.succeed("streams", "start")
    message = "the streaming jobs did not read the waiting records"
    wait_until(have_caught_up, CATCH_UP_SECONDS, message, POLL_SECONDS)
    assert _previewed_states(environment) == dict.fromkeys(STREAMING_JOBS, "alive")
    assert [len(job["tables"]) for job in environment.command_line.read_json("streams", "status")] == [3, 3]
    environment.command_line.succeed("streams", "stop")
    assert _new_records(state) == expected
    assert state.checkpoints() == AFTER["checkpoints"]


def _new_records(state: StoredState) -> dict[str, int]:
    """Return the number of records that each query has read since the current code started it."""
    return {
        table: query["records"]
        for key, heartbeat in state.heartbeats().items()
        if heartbeat["started_at"] != BEFORE["heartbeats"][key]["started_at"]
        for table, query in heartbeat["queries"].items()
    }


def _queries(job: str) -> list[str]:
    return list(BEFORE["heartbeats"][f"streams/heartbeats/{job}.json"]["queries"])


def _assert_waiting_records_are_landed_once(state: StoredState) -> None:
    """Assert that stored objects are unchanged, and that a new record that is not JSON has the new prefix."""
    objects, before = state.landed_objects(), BEFORE["s3"]["landed_objects"]
    assert {key: objects.get(key) for key in before} == before
    new = {key: records for key, records in objects.items() if key not in before}
    assert not [key for key in new if key.startswith("quarantine/")]
    assert sum(records for key, records in new.items() if key.startswith("encoded/pinterest.pin/")) == 1
    assert _by_topic(new) == {topic: facts["records"] for topic, facts in WAITING["topics"].items()}
    assert sum(_by_topic(objects).values()) == sum(AFTER["s3"]["landed_records_by_prefix"].values())


def _by_topic(objects: Mapping[str, int]) -> dict[str, int]:
    records: Counter[str] = Counter()
    for key, number in objects.items():
        records[key.split("/")[1]] += number
    return dict(records)


def new_checks(key: str) -> dict[str, bool]:
    """Return the outcomes of the checks that the former release does not have."""
    return {"no_foreign_objects": True} if key.startswith("raw/") else {}


def _assert_checks_continue(state: StoredState) -> None:
    """Assert the outcome of each check, and that reconciliation starts where the check under the former name ended."""
    evaluations = state.evaluations(state.last_run("daily_batch"))
    passed = {
        key: {name: check.passed for name, check in checks.items() if name not in TIME_DEPENDENT_CHECKS}
        for key, checks in evaluations.items()
    }
    assert passed == {
        key: {CHECK_NAMES.get(name, name): outcome for name, outcome in checks.items()} | new_checks(key)
        for key, checks in AFTER["checks"].items()
    }
    blocking = [check for checks in evaluations.values() for check in checks.values() if check.blocking]
    assert {check.check_name for check in blocking} >= {"reconciled", "primary_key_unique_not_null"}
    assert all(check.passed for check in blocking)
    for topic, facts in WAITING["topics"].items():
        record_type = topic.rpartition(".")[2]
        reconciled = evaluations[f"cleaned/{record_type}"]["reconciled"].metadata
        assert reconciled["landed"].value == facts["records"]
        assert reconciled["next_offsets"].value == BEFORE["kafka"][topic]["end_offsets"]
        former = dg.AssetCheckKey(dg.AssetKey(["cleaned", record_type]), "audited")
        with state.dagster() as instance:
            history = instance.event_log_storage.get_asset_check_execution_history(former, limit=100)
        assert len(history) == BEFORE["dagster"]["checks"][f"cleaned/{record_type}"]["audited"]["evaluations"]


def _assert_progress_continues(state: StoredState) -> None:
    for key, expected in AFTER["progress"].items():
        metadata = state.commit_metadata(key)
        assert {name: metadata[name] for name in expected} == expected
    for topic, totals in AFTER["audit"].items():
        if topic in WAITING["topics"]:
            counts = state.materialization(f"cleaned/{topic.rpartition('.')[2]}")
            names = ("landed", "published", "superseded", "quarantined")
            assert {name: counts[name] for name in names} == {name: totals[name] for name in names}


def _reconciled(environment: UpgradedEnvironment, command: str) -> dict[str, dict[str, int]]:
    """Return the counts that `pin-pipeline reconcile` prints, in the form of the expected ones."""
    rows = environment.command_line.read_json(command)["counts"]
    return {row.pop("source"): {"replayable": 0, "defects": row.pop("discrepancies"), **row} for row in rows}


def _facts(entries: Mapping[str, Mapping[str, Any]], *names: str) -> dict[str, dict[str, Any]]:
    return {key: {name: entry[name] for name in names if name in entry} for key, entry in entries.items()}
