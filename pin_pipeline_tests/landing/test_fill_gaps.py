"""Landing with `fill_gaps`: lost objects are landed again from the topic."""

from __future__ import annotations

import pytest

from pin_pipeline.landing.lander import LandingResult
from pin_pipeline.settings import Settings
from pin_pipeline.storage.object_keys import ObjectName
from pin_pipeline.storage.object_store import ObjectStore
from pin_pipeline_tests.helpers.topics import produce, produce_in_transaction
from pin_pipeline_tests.landing.landing_helpers import RECORDS, delete_records_before, land_pins, objects

pytestmark = pytest.mark.usefixtures("small_objects")


def fill_gaps(settings: Settings) -> LandingResult:
    return land_pins(settings, fill_gaps=True)


def test_fill_gaps_lands_deleted_and_truncated_objects_again(settings: Settings, store: ObjectStore) -> None:
    produce(settings, "pin", [*RECORDS[:10], b"no json", *RECORDS[10:]])
    land_pins(settings)
    before = objects(settings)
    assert (fill_gaps(settings).records, objects(settings)) == (0, before)
    topic = settings.topic("pin")
    lost = [ObjectName("topics", topic, 0, 0), ObjectName("encoded", topic, 0, 10)]
    truncated = ObjectName("topics", topic, 0, 11)
    for name in lost:
        store.client.delete_object(Bucket=store.bucket, Key=name.key)
    first_line, _ = before[truncated.key].split(b"\n", 1)
    store.client.put_object(Bucket=store.bucket, Key=truncated.key, Body=first_line + b"\n")
    landed = fill_gaps(settings)
    assert (landed.records, landed.encoded, landed.missing) == (7 + 1 + 6, 1, 0)
    after = objects(settings)
    assert {name.key: after[name.key] for name in lost} == {name.key: before[name.key] for name in lost}
    assert b"".join(after.values()) == b"".join(before.values())
    assert (fill_gaps(settings).records, land_pins(settings).records) == (0, 0)


def test_fill_gaps_ignores_offsets_that_the_topic_does_not_have(settings: Settings, store: ObjectStore) -> None:
    produce(settings, "pin", RECORDS[:3])
    produce_in_transaction(settings, "pin", [b"aborted"], commit=False)
    produce(settings, "pin", RECORDS[3:6])
    land_pins(settings)
    before = objects(settings)
    assert (fill_gaps(settings).records, objects(settings)) == (0, before)
    store.client.delete_object(Bucket=store.bucket, Key=min(before))
    delete_records_before(settings, 3)
    assert fill_gaps(settings).records == 0
