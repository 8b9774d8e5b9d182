"""The peer of the gateway: an endpoint as it is written in an afternoon, which acknowledges one record a request."""

from __future__ import annotations

import json
import os
from typing import Any

from fastapi import Body, FastAPI
from kafka import KafkaProducer

app = FastAPI()
producer = KafkaProducer(bootstrap_servers=os.environ["PIN_KAFKA_BOOTSTRAP"], acks="all")


@app.post("/topics/{topic}")
def post(topic: str, record: dict[str, Any] = Body()) -> dict[str, int]:  # noqa: B008 - as FastAPI's tutorial has it
    """Put a record on a topic, and say where it is."""
    sent = producer.send(topic, json.dumps(record).encode()).get(timeout=30)
    return {"partition": sent.partition, "offset": sent.offset}
