"""Records of a request on their way to a topic, and what became of each, as the proxy words it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, cast

from confluent_kafka import KafkaError as Refusal
from fastapi import Request

from pin_pipeline.gateway.errors import record_error_code
from pin_pipeline.gateway.http.backpressure import InFlight
from pin_pipeline.gateway.http.metrics import Metrics
from pin_pipeline.gateway.kafka.broker import KafkaBroker
from pin_pipeline.gateway.kafka.producer import Outcome, Stored
from pin_pipeline.gateway.produce_request import ProduceRecord


def as_offsets(outcomes: Iterable[Outcome]) -> list[dict[str, Any]]:
    """Partition and offset of each record that the broker has; of the others why it has them not."""
    return [_refused(each) if isinstance(each, Refusal) else _stored(each) for each in outcomes]


async def send_counted(request: Request, topic: str, records: Sequence[ProduceRecord], size: int) -> list[Outcome]:
    """Send the records of a body of so many bytes, which count as waiting until then; see `Broker.send`.

    Raises:
        ApiError: also 429 or 413 where no more may wait.
    """
    state = request.app.state
    with cast("InFlight", state.in_flight).hold(size, len(records)):
        outcomes = await cast("KafkaBroker", state.broker).send(topic, records)
    cast("Metrics", state.metrics).count_records(topic, [isinstance(each, Refusal) for each in outcomes])
    return outcomes


def _stored(place: Stored) -> dict[str, Any]:
    return {"partition": place.partition, "offset": place.offset, "error_code": None, "error": None}


def _refused(refusal: Refusal) -> dict[str, Any]:
    error = f"{refusal.name()}: {refusal.str()}"
    return {"partition": None, "offset": None, "error_code": record_error_code(refusal), "error": error}
