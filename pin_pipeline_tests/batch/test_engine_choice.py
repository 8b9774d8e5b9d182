"""Choice of the batch engine by the size of the work."""

from __future__ import annotations

from typing import Literal

import pytest

from pin_pipeline.batch.engine_choice import EngineChoice, choose_engine
from pin_pipeline.batch.engines.embedded import EmbeddedEngine
from pin_pipeline.batch.tasks import BatchTask, CleanTask, QueryTask
from pin_pipeline.quarantine.schema import topic_quarantine_key
from pin_pipeline.settings import BatchEngineName, Settings
from pin_pipeline.storage.lake import Lake
from pin_pipeline.storage.object_store import ObjectStore
from pin_pipeline_tests.batch.batch_helpers import put, run_clean
from pin_pipeline_tests.helpers.rows import user

QUERY = QueryTask(("users_joined_by_year",))
LARGE = 2**40


def choose(
    settings: Settings, task: BatchTask, max_bytes: int = LARGE, setting: BatchEngineName = "auto"
) -> EngineChoice:
    return choose_engine(task, Lake.of(settings), ObjectStore.of(settings), setting, max_bytes)


def clean(settings: Settings, *, replay: bool = False, rebuild: bool = False) -> CleanTask:
    return CleanTask({settings.topic("user"): "user"}, replay, rebuild)


def test_choice_of_a_step_without_new_data_is_embedded_with_that_reason(settings: Settings) -> None:
    assert choose(settings, clean(settings), 0) == EngineChoice("embedded", "no new data")


def test_choice_follows_the_size_of_new_objects_and_of_the_table(
    settings: Settings, embedded_engine: EmbeddedEngine
) -> None:
    put(settings, "user", [user(1), b"no json"])
    small = choose(settings, clean(settings))
    assert (small.engine, small.reason) == ("embedded", "0.0 MiB to read and rewrite, at most 1.04858e+06 MiB")
    assert choose(settings, clean(settings), 1).engine == "spark"
    run_clean(settings, embedded_engine, "user")
    assert choose(settings, clean(settings), 0).reason == "no new data"
    put(settings, "user", [user(2)], first=2)
    table = Lake.of(settings).require("cleaned/user")
    assert table.bytes > 0
    assert choose(settings, clean(settings), table.bytes).engine == "spark", "the table is rewritten too"


def test_choice_counts_the_quarantine_for_a_replay_and_all_objects_for_a_rebuild(
    settings: Settings, embedded_engine: EmbeddedEngine
) -> None:
    put(settings, "user", [user(1), b"no json"])
    run_clean(settings, embedded_engine, "user")
    assert choose(settings, clean(settings), 0).reason == "no new data"
    assert choose(settings, clean(settings, replay=True), 0).engine == "spark"
    quarantine = Lake.of(settings).require(topic_quarantine_key("user"))
    assert choose(settings, clean(settings, replay=True), 4 * quarantine.bytes).engine == "spark", "it counts more"
    assert choose(settings, clean(settings, rebuild=True), 0).engine == "spark"


def test_choice_counts_the_inputs_of_changed_queries_only(settings: Settings, embedded_engine: EmbeddedEngine) -> None:
    put(settings, "user", [user(1)])
    run_clean(settings, embedded_engine, "user")
    assert choose(settings, QUERY, 0).engine == "spark"
    list(QUERY.run(embedded_engine, Lake.of(settings), ObjectStore.of(settings)))
    assert choose(settings, QUERY, 0).reason == "no new data"


@pytest.mark.parametrize("setting", ["embedded", "spark"])
def test_choice_follows_the_setting_whatever_the_size(
    settings: Settings, setting: Literal["embedded", "spark"]
) -> None:
    assert choose(settings, clean(settings), 0, setting) == EngineChoice(setting, f"PIN_BATCH_ENGINE is {setting}")
