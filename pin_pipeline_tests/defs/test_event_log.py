"""Storage of Dagster's events: files shared with Dagster's default storage, and what keeps them open."""

from __future__ import annotations

from pathlib import Path

import dagster as dg
import pytest
from dagster import DagsterInstance
from dagster._core.instance.ref import InstanceRef

from pin_pipeline.defs.event_log import OpenEventLog
from pin_pipeline.local.dagster_ui import dagster_home

KEY = dg.AssetKey("table")


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


def test_events_of_a_run_reach_its_main_file_which_the_ui_watches(home: Path) -> None:
    with DagsterInstance.from_config(str(home)) as instance:
        run = dg.materialize([table], instance=instance).run_id
        file = home / "history" / "runs" / f"{run}.db"
        before = file.stat().st_mtime_ns
        instance.report_engine_event("one more event", run_id=run, job_name="job")
        assert file.stat().st_mtime_ns > before
        assert not file.with_suffix(".db-wal").exists()
        assert (file.parent / "index.db-wal").exists(), "the index stays open"
    assert not (file.parent / "index.db-wal").exists()
