"""Baseline of the gateway benchmark: a straightforward endpoint that acknowledges one record per request."""

from __future__ import annotations

import json
import os
from typing import Any

from fastapi import Body, FastAPI
from kafka import KafkaProducer

app = FastAPI()
producer = KafkaProducer(bootstrap_servers=os.environ["PIN_KAFKA_BOOTSTRAP"], acks="all")


@app.post("/topics/{topic}")
def post(topic: str, record: dict[str, Any] = Body()) -> dict[str, int]:  # noqa: B008 - as in FastAPI's tutorial
    """Send a record to a topic, and return its position."""
    sent = producer.send(topic, json.dumps(record).encode()).get(timeout=30)
    return {"partition": sent.partition, "offset": sent.offset}
