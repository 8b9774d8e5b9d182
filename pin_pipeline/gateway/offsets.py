"""What became of each record: as the proxy words it, and in numbers."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, cast

from confluent_kafka import KafkaError as Refusal
from fastapi import Request

from pin_pipeline.gateway.errors import record_error_code
from pin_pipeline.gateway.metrics import Metrics
from pin_pipeline.gateway.producer import Outcome, Stored


def as_offsets(outcomes: Iterable[Outcome]) -> list[dict[str, Any]]:
    """Partition and offset of each record that the broker has; of the others why it has them not."""
    return [_refused(each) if isinstance(each, Refusal) else _stored(each) for each in outcomes]


def count_records(request: Request, topic: str, outcomes: Iterable[Outcome]) -> None:
    """Count the records of a request."""
    metrics = cast("Metrics", request.app.state.metrics)
    metrics.count_records(topic, [isinstance(each, Refusal) for each in outcomes])


def _stored(place: Stored) -> dict[str, Any]:
    return {"partition": place.partition, "offset": place.offset, "error_code": None, "error": None}


def _refused(refusal: Refusal) -> dict[str, Any]:
    error = f"{refusal.name()}: {refusal.str()}"
    return {"partition": None, "offset": None, "error_code": record_error_code(refusal), "error": error}
