"""Subscription by pattern, with a regular expression engine that takes linear time for every pattern."""

from __future__ import annotations

import time

import re2
from kafka import KafkaConsumer

from pin_pipeline.gateway.errors import unprocessable

REFRESH_SECONDS = 30
"""Time between two searches for new topics, as long as there are some."""
MAX_PATTERN_BYTES = 2**20
"""Memory for a compiled pattern; those for topic names take a few KiB."""


class TopicPattern:
    """The topics whose whole names match a pattern of a caller.

    The pattern that Kafka's clients accept is not used: Python's engine can take minutes for 60 characters, during
    which no other request would be answered.
    """

    def __init__(self, pattern: str) -> None:
        """Compile the pattern.

        Raises:
            ApiError: 422 if it is not in the syntax of RE2.
        """
        options = re2.Options()
        options.max_mem = MAX_PATTERN_BYTES
        options.log_errors = False
        try:
            self._pattern = re2.compile(pattern, options)
        except re2.error as error:
            reason = error.args[0].decode(errors="replace") if isinstance(error.args[0], bytes) else error
            raise unprocessable(
                f"invalid request body: topic_pattern is not a regular expression in the syntax of RE2: {reason}"
            ) from error
        self._topics: list[str] | None = None
        self._searched_at = 0.0

    def subscribe(self, consumer: KafkaConsumer) -> None:
        """Subscribe a consumer to the topics that match now, unless a recent search found some."""
        now = time.monotonic()
        if self._topics and now - self._searched_at < REFRESH_SECONDS:
            return
        topics = sorted(topic for topic in consumer.topics() if self._pattern.fullmatch(topic))
        if topics and topics != self._topics:
            consumer.subscribe(topics)
        elif not topics and consumer.subscription():
            consumer.unsubscribe()
        self._topics, self._searched_at = topics, now
