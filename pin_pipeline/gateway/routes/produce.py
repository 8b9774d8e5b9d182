"""Sending the records of a request to a topic, and the result of each as in the Kafka REST API."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import cast

import msgspec
from confluent_kafka import KafkaError as DeliveryError
from fastapi import Request

from pin_pipeline.gateway.http.backpressure import BytesInFlight
from pin_pipeline.gateway.http.metrics import GatewayMetrics
from pin_pipeline.gateway.kafka.broker import KafkaBroker
from pin_pipeline.gateway.kafka.broker_errors import record_error_code
from pin_pipeline.gateway.kafka.producer import DeliveryResult
from pin_pipeline.gateway.produce_request import ProduceRecord


class RecordOffset(msgspec.Struct, gc=False):
    """Partition and offset of an acknowledged record, or the error of a refused one."""

    partition: int | None = None
    offset: int | None = None
    error_code: int | None = None
    error: str | None = None


async def send_records(
    request: Request, topic: str, records: Sequence[ProduceRecord], body_bytes: int
) -> list[DeliveryResult]:
    """Send the records of a request with `KafkaBroker.send`, counted as in flight and in the metrics.

    Raises:
        ApiError: as `KafkaBroker.send`, and 429 or 413 beyond the limit of bytes in flight.
    """
    state = request.app.state
    with cast("BytesInFlight", state.in_flight).hold(body_bytes, len(records)):
        results = await cast("KafkaBroker", state.broker).send(topic, records)
    metrics = cast("GatewayMetrics", state.metrics)
    metrics.count_records(topic, [isinstance(result, DeliveryError) for result in results])
    return results


def record_offsets(results: Iterable[DeliveryResult]) -> list[RecordOffset]:
    """Convert delivery results to the `offsets` of a produce response."""
    return [
        RecordOffset(error_code=record_error_code(result), error=f"{result.name()}: {result.str()}")
        if isinstance(result, DeliveryError)
        else RecordOffset(result.partition, result.offset)
        for result in results
    ]
