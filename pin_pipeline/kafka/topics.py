"""Topic administration: create the topics of a cluster."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from kafka import KafkaAdminClient
from kafka.errors import KafkaError, TopicAlreadyExistsError

from pin_pipeline.errors import PipelineError
from pin_pipeline.kafka.connection import BOOTSTRAP_TIMEOUT_MS, KafkaConnection

VISIBLE_SECONDS, POLL_SECONDS = 30, 0.05
PARTITIONS = 3
CLUSTER_DEFAULT = -1
"""Replication factor that selects the default of the cluster."""


class TopicError(PipelineError):
    """Raised when topics cannot be created."""


def create_topics(connection: KafkaConnection, names: Iterable[str]) -> list[str]:
    """Create the topics that do not exist, wait until all are listed, and return the names of the new ones.

    Raises:
        TopicError: the cluster cannot be reached, refuses the request, or does not list a topic within
            `VISIBLE_SECONDS`.
    """
    required = set(names)
    with _admin(connection) as admin:
        missing = sorted(required - set(admin.list_topics()))
        for topic in missing:
            try:
                shape = {"num_partitions": PARTITIONS, "replication_factor": CLUSTER_DEFAULT}
                admin.create_topics({topic: shape})
            except TopicAlreadyExistsError:
                continue
        # The controller confirms a topic before the broker lists it.
        deadline = time.monotonic() + VISIBLE_SECONDS
        while unlisted := required - set(admin.list_topics()):
            if time.monotonic() > deadline:
                raise TopicError(
                    f"Kafka at {connection.address} created {', '.join(sorted(unlisted))}, but does not list them "
                    f"after {VISIBLE_SECONDS} s; check the brokers' logs, and try again"
                )
            time.sleep(POLL_SECONDS)
    return missing


@contextmanager
def _admin(connection: KafkaConnection) -> Iterator[KafkaAdminClient]:
    try:
        admin = KafkaAdminClient(**connection.kafka_python(), bootstrap_timeout_ms=BOOTSTRAP_TIMEOUT_MS)
        try:
            yield admin
        finally:
            admin.close()
    except KafkaError as error:
        raise TopicError(
            f"could not create topics at {connection.address}: {error!r}; check that the cluster is up and "
            "reachable, that it accepts the credentials, and that they allow this"
        ) from error


def topic_name(prefix: str, record_type: str) -> str:
    """Return the topic of a record type."""
    return f"{prefix}.{record_type}"
