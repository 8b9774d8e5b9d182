"""Storage of Dagster's events: files shared with Dagster's default storage, and what keeps them open."""

from __future__ import annotations

import logging
from pathlib import Path
from queue import SimpleQueue

import dagster as dg
import pytest
from dagster import DagsterInstance
from dagster._core.events import StepMaterializationData
from dagster._core.instance.ref import InstanceRef

from pin_pipeline.defs.event_log import OpenEventLog
from pin_pipeline.local.dagster_ui import dagster_home

KEY = dg.AssetKey("table")
SECONDS = 30


@dg.asset(key=KEY)
def table() -> dg.MaterializeResult[None]:
    return dg.MaterializeResult(metadata={"rows": 3})


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    home = dagster_home(tmp_path)
    monkeypatch.setenv("DAGSTER_HOME", str(home))
    return home


def default_storage(home: Path) -> DagsterInstance:
    storage = {"storage": {"sqlite": {"base_dir": str(home)}}}
    return DagsterInstance.from_ref(InstanceRef.from_dir(str(home), overrides=storage))


def materialized_runs(instance: DagsterInstance) -> list[str]:
    return [record.run_id for record in instance.fetch_materializations(KEY, limit=10).records]


def test_new_instance_and_the_default_storage_read_each_others_runs_and_events(home: Path) -> None:
    with default_storage(home) as instance:
        first = dg.materialize([table], instance=instance)
    with DagsterInstance.from_config(str(home)) as instance:
        assert isinstance(instance.event_log_storage, OpenEventLog)
        second = dg.materialize([table], instance=instance)
        assert materialized_runs(instance) == [second.run_id, first.run_id]
        assert [entry.message for entry in instance.all_logs(first.run_id)]
    with default_storage(home) as instance:
        assert materialized_runs(instance) == [second.run_id, first.run_id]
        assert {run.run_id for run in instance.get_runs()} == {first.run_id, second.run_id}


def test_events_of_a_run_reach_those_who_watch_it(home: Path) -> None:
    with DagsterInstance.from_config(str(home)) as instance, DagsterInstance.from_config(str(home)) as ui:
        run = dg.materialize([table], instance=instance).run_id
        cursor = ui.get_records_for_run(run).cursor
        seen: SimpleQueue[str] = SimpleQueue()
        ui.watch_event_logs(run, cursor, lambda entry, _: seen.put(entry.message))
        for message in ("one more event", "and another one"):
            instance.report_engine_event(message, run_id=run, job_name="job")
            assert seen.get(timeout=SECONDS) == message
        logs = [home / "history" / "runs" / f"{name}.db-wal" for name in (run, "index")]
        assert all(log.exists() for log in logs), "the files stay open"
    assert not any(log.exists() for log in logs)


def test_events_of_a_batch_are_stored_completely_or_not_at_all(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with DagsterInstance.from_config(str(home)) as instance:
        run = dg.materialize([table], instance=instance).run_id
        storage, before = instance.event_log_storage, instance.all_logs(run)
        events = [materialization(run, rows) for rows in (1.0, 2.0)]
        insert = OpenEventLog.prepare_insert_event
        with monkeypatch.context() as patch:
            patch.setattr(
                OpenEventLog, "prepare_insert_event", lambda self, event: insert(self, refuse(event, events[1]))
            )
            with pytest.raises(OSError, match="disk full"):
                storage.store_event_batch(events)
        assert instance.all_logs(run) == before
        assert materialized_runs(instance) == [run]
        storage.store_event_batch(events)
        assert instance.all_logs(run) == [*before, *events]
        assert materialized_runs(instance) == [run, run, run]


def materialization(run_id: str, rows: float) -> dg.EventLogEntry:
    data = StepMaterializationData(dg.AssetMaterialization(KEY, metadata={"rows": rows}))
    event = dg.DagsterEvent("ASSET_MATERIALIZATION", "job", event_specific_data=data)
    entry: dg.EventLogEntry = dg.EventLogEntry(None, logging.INFO, "", run_id, rows, "step", "job", event)  # type: ignore[no-untyped-call]
    return entry


def refuse(event: dg.EventLogEntry, refused: dg.EventLogEntry) -> dg.EventLogEntry:
    if event is refused:
        raise OSError("disk full")
    return event
