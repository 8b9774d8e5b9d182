"""Helpers to land the topic of pins and to read the landed objects."""

from __future__ import annotations

import json
from typing import Any

from kafka import KafkaAdminClient, TopicPartition

from pin_pipeline.landing.lander import LandingResult, land_topic
from pin_pipeline.settings import Settings
from pin_pipeline.storage.object_keys import AREAS, ObjectName
from pin_pipeline.storage.object_store import ObjectStore

RECORDS = [json.dumps({"index": number}).encode() for number in range(30)]


def land_pins(settings: Settings, store: ObjectStore | None = None, *, fill_gaps: bool = False) -> LandingResult:
    return land_topic(settings.kafka, store or ObjectStore.of(settings), settings.topic("pin"), fill_gaps=fill_gaps)


def objects(settings: Settings) -> dict[str, bytes]:
    """Return the content of every landed object of the pin topic, by key."""
    store = ObjectStore.of(settings)
    names = [
        name
        for area in AREAS
        for partition in store.partitions(area, settings.topic("pin"))
        for name in store.list_from(ObjectName(area, settings.topic("pin"), partition, 0))
    ]
    return {name.key: store.read(name) for name in names}


def lines(settings: Settings) -> list[bytes]:
    """Return the landed records that are a line of JSON."""
    return [line for key, body in objects(settings).items() if key.startswith("topics/") for line in body.splitlines()]


def delete_records_before(settings: Settings, offset: int) -> None:
    """Delete the first records of partition 0 from the topic, as its retention would."""
    admin: Any = KafkaAdminClient(**settings.kafka.kafka_python())
    try:
        admin.delete_records({TopicPartition(settings.topic("pin"), 0): offset})
    finally:
        admin.close()
