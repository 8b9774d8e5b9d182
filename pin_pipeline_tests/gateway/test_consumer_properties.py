"""Any use of consumers delivers each readable record at least once, and commits no record that was not delivered."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from kafka import KafkaAdminClient, TopicPartition
from kafka.errors import CoordinatorLoadInProgressError, CoordinatorNotAvailableError, NotCoordinatorError
from kafka.structs import OffsetAndMetadata

from pin_pipeline.gateway.kafka import polling
from pin_pipeline.settings import Settings
from pin_pipeline_tests.gateway.conftest import serving
from pin_pipeline_tests.gateway.consumer_requests import JSON_V2, V2
from pin_pipeline_tests.helpers.topics import produce
from pin_pipeline_tests.helpers.waiting import wait_until

NAMES = ("first", "second")
UNREADABLE = b"no json"
LAYOUT: dict[int, list[Any]] = {
    0: [0, 1, UNREADABLE, 3, UNREADABLE, UNREADABLE, 6, 7],
    1: [0, 1, 2, 3, 4, 5, 6],
    2: [UNREADABLE, 1, 2, UNREADABLE],
}
"""Values by partition; each readable value is its offset."""
READABLE = {
    (number, offset) for number, values in LAYOUT.items() for offset, value in enumerate(values) if value == offset
}
LOCATION = re.compile(r"/(\d+) at offset (\d+) is not JSON")


class Consumers(RuleBasedStateMachine):
    """Two instances of one group, and a client that seeks only backwards or past a record that was reported."""

    app: FastAPI
    gateway: httpx.Client
    topic: str
    settings: Settings
    groups: Iterator[int]

    @initialize()
    def start(self) -> None:
        self.group = f"group-{next(self.groups)}"
        self.delivered: defaultdict[int, set[int]] = defaultdict(set)
        self.instances: dict[str, str] = {}

    @rule(name=st.sampled_from(NAMES), auto_commit=st.booleans())
    def create(self, name: str, auto_commit: bool) -> None:
        if name in self.instances:
            return
        options = {"name": name, "format": "json", "auto.offset.reset": "earliest", "auto.commit.enable": auto_commit}
        created = self.gateway.post(f"/consumers/{self.group}", json=options, headers=V2)
        self.instances[name] = created.json()["base_uri"]

    @precondition(lambda self: self.instances)
    @rule(data=st.data(), partitions=st.sets(st.sampled_from(sorted(LAYOUT)), min_size=1))
    def assign(self, data: st.DataObject, partitions: set[int]) -> None:
        instance = self.choose(data)
        self.gateway.delete(f"{instance}/subscription")
        body = {"partitions": [{"topic": self.topic, "partition": number} for number in sorted(partitions)]}
        assert self.gateway.post(f"{instance}/assignments", json=body, headers=V2).status_code == 204

    @precondition(lambda self: self.instances)
    @rule(data=st.data())
    def subscribe(self, data: st.DataObject) -> None:
        instance = self.choose(data)
        self.gateway.delete(f"{instance}/subscription")
        body = {"topics": [self.topic]}
        assert self.gateway.post(f"{instance}/subscription", json=body, headers=V2).status_code == 204

    @precondition(lambda self: self.instances)
    @rule(data=st.data(), max_bytes=st.sampled_from([1, 4, -1]))
    def read(self, data: st.DataObject, max_bytes: int) -> None:
        self.read_once(self.choose(data), max_bytes)

    @precondition(lambda self: self.instances)
    @rule(data=st.data())
    def commit_all_read(self, data: st.DataObject) -> None:
        assert self.gateway.post(f"{self.choose(data)}/offsets", headers=V2).status_code in (200, 409)

    @precondition(lambda self: any(self.delivered.values()))
    @rule(data=st.data())
    def commit_the_last_record_read(self, data: st.DataObject) -> None:
        number = data.draw(st.sampled_from([number for number, offsets in self.delivered.items() if offsets]))
        if self.instances:
            last = {"topic": self.topic, "partition": number, "offset": max(self.delivered[number])}
            response = self.gateway.post(f"{self.choose(data)}/offsets", json={"offsets": [last]}, headers=V2)
            assert response.status_code in (200, 409)

    @precondition(lambda self: self.instances)
    @rule(data=st.data(), number=st.sampled_from(sorted(LAYOUT)))
    def seek_to_the_beginning(self, data: st.DataObject, number: int) -> None:
        body = {"partitions": [{"topic": self.topic, "partition": number}]}
        response = self.gateway.post(f"{self.choose(data)}/positions/beginning", json=body, headers=V2)
        assert response.status_code in (204, 409)

    @precondition(lambda self: self.instances)
    @rule(data=st.data(), kill=st.booleans())
    def remove(self, data: st.DataObject, kill: bool) -> None:
        name = data.draw(st.sampled_from(sorted(self.instances)))
        if kill:
            # As if the process had ended: nothing is committed any more.
            consumer = self.app.state.consumers.find(self.group, name)._consumer
            if consumer is not None:
                consumer.close(autocommit=False)
        self.gateway.delete(self.instances.pop(name))

    @invariant()
    def commits_nothing_undelivered(self) -> None:
        for number, position in self.committed().items():
            expected = {offset for partition, offset in READABLE if partition == number and offset < position}
            assert expected <= self.delivered[number], f"partition {number} is committed up to {position}"

    def teardown(self) -> None:
        if not hasattr(self, "group"):
            return
        for instance in self.instances.values():
            self.gateway.delete(instance)
        created = self.gateway.post(
            f"/consumers/{self.group}", json={"format": "json", "auto.offset.reset": "earliest"}, headers=V2
        )
        instance = created.json()["base_uri"]
        body = {"partitions": [{"topic": self.topic, "partition": number} for number in LAYOUT]}
        assert self.gateway.post(f"{instance}/assignments", json=body, headers=V2).status_code == 204
        with suppress(AssertionError):  # the comparison explains it better
            wait_until(lambda: not self.read_once(instance, -1) and self.all_delivered() == READABLE)
        self.gateway.delete(instance)
        assert self.all_delivered() == READABLE
        self.commits_nothing_undelivered()

    def all_delivered(self) -> set[tuple[int, int]]:
        return {(number, offset) for number, offsets in self.delivered.items() for offset in offsets}

    def choose(self, data: st.DataObject) -> str:
        return self.instances[data.draw(st.sampled_from(sorted(self.instances)))]

    def read_once(self, instance: str, max_bytes: int) -> bool:
        """Read once, and seek past a record that is reported as unreadable; return whether there was any."""
        parameters = {"timeout": 300, "max_bytes": max_bytes}
        response = self.gateway.get(f"{instance}/records", params=parameters, headers={"Accept": JSON_V2})
        if response.status_code == 409:
            return False
        if response.status_code == 500:
            found = LOCATION.search(response.json()["message"])
            assert found, response.text
            number, offset = map(int, found.groups())
            assert LAYOUT[number][offset] == UNREADABLE
            past = {"offsets": [{"topic": self.topic, "partition": number, "offset": offset + 1}]}
            assert self.gateway.post(f"{instance}/positions", json=past, headers=V2).status_code == 204
            return True
        assert response.status_code == 200, response.text
        for record in response.json():
            assert record["value"] == record["offset"]
            self.delivered[record["partition"]].add(record["offset"])
        return bool(response.json())

    def committed(self) -> dict[int, int]:
        """Return the committed offsets, as the broker has them."""
        offsets = group_offsets(self.settings, self.group)
        return {partition.partition: position.offset for partition, position in offsets.items() if position.offset >= 0}


def group_offsets(settings: Settings, group: str) -> dict[TopicPartition, OffsetAndMetadata]:
    admin = KafkaAdminClient(**settings.kafka.kafka_python())
    try:
        offsets: dict[TopicPartition, OffsetAndMetadata] = admin.list_group_offsets([group])[group]
    finally:
        admin.close()
    return offsets


def has_coordinator(settings: Settings) -> bool:
    """Return whether the broker keeps offsets; it creates the topic for them when it is first asked."""
    try:
        group_offsets(settings, "any")
    except (CoordinatorLoadInProgressError, CoordinatorNotAvailableError, NotCoordinatorError):
        return False
    return True


def test_any_use_of_consumers_delivers_each_readable_record_and_commits_no_other(
    app: FastAPI, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(polling, "JOIN_SECONDS", 1.0)
    for number, values in LAYOUT.items():
        produce(settings, "user", values, partition=number)
    wait_until(lambda: has_coordinator(settings))
    with serving(app) as gateway:
        attributes = {
            "app": app,
            "gateway": gateway,
            "topic": settings.topic("user"),
            "settings": settings,
            "groups": iter(range(10**6)),
        }
        machine: type[Consumers] = type("ConsumersOfTopic", (Consumers,), attributes)
        run_state_machine_as_test(
            machine,
            settings=hypothesis_settings(
                max_examples=12, stateful_step_count=12, deadline=None, suppress_health_check=list(HealthCheck)
            ),
        )
