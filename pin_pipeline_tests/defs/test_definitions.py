"""Definitions: asset graph, checks, jobs, schedule and sensor, and loading them in any environment."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest

from pin_pipeline.batch.queries import QUERIES
from pin_pipeline.records import RECORD_TYPES
from pin_pipeline.streaming.jobs import STREAMING_JOBS

GRAPH = {
    "source/pinterest_data": [],
    "source/geolocation_data": [],
    "source/user_data": [],
    "gateway/posts": ["source/geolocation_data", "source/pinterest_data", "source/user_data"],
    "topics/pin": ["gateway/posts"],
    "topics/geo": ["gateway/posts"],
    "topics/user": ["gateway/posts"],
    "kinesis/pin": ["gateway/posts"],
    "kinesis/geo": ["gateway/posts"],
    "kinesis/user": ["gateway/posts"],
    "streams/pin": ["kinesis/pin"],
    "streams/geo": ["kinesis/geo"],
    "streams/user": ["kinesis/user"],
    "realtime/experimental_data": ["topics/pin"],
    "realtime/profile_popularity": ["topics/pin"],
    "realtime/category_trends": ["topics/pin"],
    "raw/pin": ["topics/pin"],
    "raw/geo": ["topics/geo"],
    "raw/user": ["topics/user"],
    "cleaned/pin": ["raw/pin"],
    "cleaned/geo": ["raw/geo"],
    "cleaned/user": ["raw/user"],
    "quarantine/summary": [
        f"{table}/{record_type}" for table in ("cleaned", "streams") for record_type in ("geo", "pin", "user")
    ],
    "queries/most_popular_category_by_country": ["cleaned/geo", "cleaned/pin"],
    "queries/posts_by_category_and_year": ["cleaned/geo", "cleaned/pin"],
    "queries/most_popular_category_by_year": ["cleaned/geo", "cleaned/pin"],
    "queries/most_followed_poster_by_country": ["cleaned/geo", "cleaned/pin"],
    "queries/country_of_most_followed_poster": ["cleaned/geo", "cleaned/pin"],
    "queries/most_popular_category_by_age_group": ["cleaned/pin", "cleaned/user"],
    "queries/median_followers_by_age_group": ["cleaned/pin", "cleaned/user"],
    "queries/users_joined_by_year": ["cleaned/user"],
    "queries/median_followers_by_join_year": ["cleaned/pin", "cleaned/user"],
    "queries/median_followers_by_join_year_and_age_group": ["cleaned/pin", "cleaned/user"],
    "dashboards/realtime_pins": [
        "realtime/category_trends",
        "realtime/experimental_data",
        "realtime/profile_popularity",
        "streams/geo",
        "streams/pin",
        "streams/user",
    ],
    "serving/popular_categories": ["cleaned/pin", "realtime/experimental_data"],
}
STREAMED = ("streams/", "realtime/")
BATCH_LAYERS = ("raw/", "cleaned/", "quarantine/", "queries/", "serving/")
BLOCKING = {
    "raw": {"landed_to_the_end"},
    "cleaned": {"record_counts_reconcile", "primary_key_unique_not_null", "reconciled"},
    "quarantine": set(),
    "queries": set(),
    "serving": set(),
}


@pytest.fixture
def defs(clean_environment: None) -> dg.Definitions:  # noqa: ARG001 - sets environment variables
    from pin_pipeline.definitions import defs  # noqa: PLC0415 - reads environment variables at import

    return defs


def test_asset_graph_matches_the_snapshot(defs: dg.Definitions) -> None:
    graph = defs.resolve_asset_graph()
    found = {
        key.to_user_string(): sorted(parent.to_user_string() for parent in graph.get(key).parent_keys)
        for key in graph.get_all_asset_keys()
    }
    assert found == GRAPH


def test_external_assets_are_exactly_those_that_no_run_materializes(defs: dg.Definitions) -> None:
    graph = defs.resolve_asset_graph()
    external = {key.to_user_string() for key in graph.get_all_asset_keys() if graph.get(key).is_external}
    assert external == {key for key in GRAPH if not key.startswith(BATCH_LAYERS)}


def test_daily_batch_materializes_every_materializable_asset(defs: dg.Definitions) -> None:
    selected = {key.to_user_string() for key in defs.resolve_job_def("daily_batch").asset_layer.executable_asset_keys}
    assert selected == {key for key in GRAPH if key.startswith(BATCH_LAYERS)}


def test_blocking_checks_of_each_layer_match_the_snapshot(defs: dg.Definitions) -> None:
    graph = defs.resolve_asset_graph()
    blocking = {key for key in graph.asset_check_keys if graph.get_check_spec(key).blocking}
    for layer, names in BLOCKING.items():
        for asset in (key for key in GRAPH if key.startswith(f"{layer}/")):
            assert {check.name for check in blocking if check.asset_key.to_user_string() == asset} == names


@pytest.mark.parametrize(("job", "layers"), [("replay_quarantine", BATCH_LAYERS[1:]), ("rebuild", BATCH_LAYERS)])
def test_replay_and_rebuild_jobs_are_described_and_reconcile_all_records(
    defs: dg.Definitions, job: str, layers: tuple[str, ...]
) -> None:
    definition = defs.resolve_job_def(job)
    selected = {key.to_user_string() for key in definition.asset_layer.executable_asset_keys}
    assert selected == {key for key in GRAPH if key.startswith(layers)}
    assert definition.description
    assert definition.run_config
    assert definition.run_config["ops"]["reconcile"]["config"] == {"from_the_beginning": True}


def test_every_check_has_a_description_and_every_table_has_a_check(defs: dg.Definitions) -> None:
    graph = defs.resolve_asset_graph()
    assert all(graph.get_check_spec(key).description for key in graph.asset_check_keys)
    checked = {key.asset_key.to_user_string() for key in graph.asset_check_keys}
    assert checked == {key for key in GRAPH if key.startswith((*BATCH_LAYERS, *STREAMED))}


def test_only_the_assets_of_the_daily_batch_are_expected_at_a_time(defs: dg.Definitions) -> None:
    schedule = defs.resolve_schedule_def("daily_batch_at_midnight")
    assert (schedule.cron_schedule, schedule.execution_timezone) == ("0 0 * * *", "UTC")
    for spec in defs.resolve_all_asset_specs():
        daily = spec.key.to_user_string().startswith(BATCH_LAYERS)
        expected = dg.FreshnessPolicy.cron("0 2 * * *", timedelta(hours=2), "UTC") if daily else None
        assert spec.freshness_policy == expected


def test_every_asset_has_an_owner_and_a_layer(defs: dg.Definitions) -> None:
    for spec in defs.resolve_all_asset_specs():
        assert spec.owners
        assert spec.tags["layer"] == spec.key.path[0]
        assert spec.tags.get("domain") == (spec.key.path[-1] if spec.key.path[-1] in RECORD_TYPES else None)


def test_tables_of_streaming_jobs_have_health_checks(
    defs: dg.Definitions,
) -> None:
    tables = {table for job in STREAMING_JOBS.values() for table in job.tables}
    assert tables == {key for key in GRAPH if key.startswith(STREAMED)}
    graph = defs.resolve_asset_graph()
    for spec in defs.resolve_all_asset_specs():
        table = spec.key.to_user_string()
        if table in tables:
            checks = {check.name for check in graph.get_check_keys_for_assets({spec.key})}
            assert checks == {"running", "lag"} | ({"reconciled"} if table.startswith("streams/") else set())


def test_stream_supervisor_runs_by_default_and_targets_the_start_and_stop_jobs(defs: dg.Definitions) -> None:
    sensor = defs.resolve_sensor_def("stream_supervisor")
    assert sensor.default_status is dg.DefaultSensorStatus.RUNNING
    assert sensor.minimum_interval_seconds == 30
    assert {target.job_name for target in sensor.targets} == {"start_streams", "stop_streams"}
    assert sensor.description
    for target in sensor.targets:
        assert defs.resolve_job_def(target.job_name).description


def test_schedule_runs_the_daily_batch_at_midnight_utc(defs: dg.Definitions) -> None:
    schedule = defs.resolve_schedule_def("daily_batch_at_midnight")
    assert isinstance(schedule, dg.ScheduleDefinition)
    assert schedule.job_name == "daily_batch"
    assert (schedule.cron_schedule, schedule.execution_timezone) == ("0 0 * * *", "UTC")
    assert schedule.default_status is dg.DefaultScheduleStatus.RUNNING
    tick = schedule.evaluate_tick(
        dg.build_schedule_context(
            scheduled_execution_time=datetime(2026, 1, 1, tzinfo=UTC), repository_def=defs.get_repository_def()
        )
    )
    [request] = tick.run_requests or []
    assert request.run_config == {}


def test_query_assets_show_their_sql(defs: dg.Definitions) -> None:
    specs = {spec.key.to_user_string(): spec for spec in defs.resolve_all_asset_specs()}
    for query in QUERIES.values():
        assert query.sql in (specs[query.key].description or "")


def test_every_asset_has_a_description_icons_and_the_group_of_its_prefix(defs: dg.Definitions) -> None:
    for spec in defs.resolve_all_asset_specs():
        assert spec.description
        assert spec.group_name == spec.key.path[0]
        assert spec.kinds


LOCAL = ("pin_pipeline.local", "pin_pipeline.defs.resources.local", "pin_pipeline.spark.session")
DATABRICKS = ("databricks", "dagster_databricks", "pin_pipeline.databricks")


@pytest.mark.parametrize(
    ("environment", "forbidden"),
    [({}, DATABRICKS), ({"PIN_ENVIRONMENT": "local"}, DATABRICKS), ({"PIN_ENVIRONMENT": "aws"}, LOCAL)],
)
def test_definitions_load_in_an_empty_environment_with_its_backends_only_and_write_no_files(
    environment: dict[str, str], forbidden: tuple[str, ...], tmp_path: Path
) -> None:
    code = """\
import sys
from pin_pipeline.definitions import defs
print(*sys.modules)
defs.get_repository_def()
print(len(defs.resolve_all_asset_specs()))
"""
    command = [sys.executable, "-I", "-c", code]
    result = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, check=True, text=True)
    *loaded, assets = result.stdout.split()
    assert int(assets) == len(GRAPH)
    assert not [name for name in loaded if any(name == each or name.startswith(f"{each}.") for each in forbidden)]
    assert not list(tmp_path.iterdir())


def test_domain_code_does_without_dagster() -> None:
    domain = [
        "emulator.emulator",
        "gateway.app",
        "landing.lander",
        "batch.cleaning",
        "batch.query_runner",
        "streaming.job",
        "streaming.supervision.health",
        "databricks.batch",
        "databricks.stream",
        "databricks.deploy",
        "databricks.runs",
    ]
    imports = ", ".join(f"pin_pipeline.{module}" for module in domain)
    code = f"import sys, {imports}; print([name for name in sys.modules if name.partition('.')[0] == 'dagster'])"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    assert result.stdout.strip() == b"[]"
