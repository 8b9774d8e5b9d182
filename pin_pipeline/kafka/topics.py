"""The topics of a cluster."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from kafka import KafkaAdminClient
from kafka.errors import KafkaError, TopicAlreadyExistsError

from pin_pipeline.kafka.connection import BOOTSTRAP_MILLISECONDS, KafkaConnection

KNOWN_SECONDS, POLL_SECONDS = 30, 0.05
PARTITIONS = 3
AS_THE_CLUSTER_HAS_IT = -1


class TopicError(Exception):
    """Topics cannot be listed or created; says what was tried, where, and what to do."""


def topics(connection: KafkaConnection) -> list[str]:
    """The names of all topics, sorted.

    Raises:
        TopicError: the cluster does not answer, or refuses.
    """
    with _admin(connection) as admin:
        return sorted(admin.list_topics())


def create_topics(connection: KafkaConnection, names: Iterable[str]) -> list[str]:
    """Create the topics that do not exist yet; returns which, when the cluster knows them all.

    Raises:
        TopicError: the cluster does not answer, refuses, or does not list them within `KNOWN_SECONDS`.
    """
    wanted = set(names)
    with _admin(connection) as admin:
        missing = sorted(wanted - set(admin.list_topics()))
        for topic in missing:
            try:
                shape = {"num_partitions": PARTITIONS, "replication_factor": AS_THE_CLUSTER_HAS_IT}
                admin.create_topics({topic: shape})
            except TopicAlreadyExistsError:
                continue
        # The controller answers before the broker has heard of it.
        patience = time.monotonic() + KNOWN_SECONDS
        while unknown := wanted - set(admin.list_topics()):
            if time.monotonic() > patience:
                raise TopicError(f"Kafka at {connection.place} created {', '.join(unknown)}, but does not list them")
            time.sleep(POLL_SECONDS)
    return missing


@contextmanager
def _admin(connection: KafkaConnection) -> Iterator[KafkaAdminClient]:
    try:
        admin = KafkaAdminClient(**connection.kafka_python(), bootstrap_timeout_ms=BOOTSTRAP_MILLISECONDS)
        try:
            yield admin
        finally:
            admin.close()
    except KafkaError as error:
        raise TopicError(
            f"could not list or create topics at {connection.place}: {error!r}; check that the cluster is up, that "
            "it can be reached from here, that it takes the login, and that the client may do this"
        ) from error
