"""The options of the `kinesis` source, by the names that Databricks' own source has for them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from pin_pipeline.streaming.kinesis_source.position import ShardPosition
from pin_pipeline.streaming.kinesis_source.service import milliseconds

NAMES = (
    "streamName",
    "region",
    "endpointUrl",
    "initialPosition",
    "maxRecordsPerFetch",
    "maxRecordsPerTrigger",
    "minFetchPeriod",
    "shardFetchInterval",
    "failOnDataLoss",
)
UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0}


@dataclass(frozen=True)
class Options:
    """What a reader is told.

    Attributes:
        stream: the stream's name.
        region: its region; by default that of the AWS configuration.
        endpoint_url: where the service is; by default where AWS has it.
        initial: where a query without a checkpoint begins in the shards that there are; None for the latest record.
        records_a_fetch: the most that one request asks for.
        records_a_trigger: the most that one micro-batch takes.
        fetch_seconds: the least time between two requests to a shard; AWS allows five a second.
        list_seconds: the least time between two looks for new shards.
        fail_on_data_loss: whether to stop where records may have aged out before they were read.
    """

    stream: str
    region: str | None
    endpoint_url: str | None
    initial: ShardPosition | None
    records_a_fetch: int
    records_a_trigger: int
    fetch_seconds: float
    list_seconds: float
    fail_on_data_loss: bool

    @classmethod
    def of(cls, options: Mapping[str, str]) -> Options:
        """The options of a query; Spark gives their names in lower case.

        Raises:
            ValueError: one is not known, missing or none of those that are allowed.
        """
        given = {name.lower(): value for name, value in options.items() if name.lower() != "path"}
        known = {name.lower(): name for name in NAMES}
        for name in given:
            if name not in known:
                raise ValueError(f"option {name!r} of the kinesis source is not known; it has {', '.join(NAMES)}")
        if not given.get("streamname"):
            raise ValueError("the kinesis source needs the option streamName")
        return cls(
            stream=given["streamname"],
            region=given.get("region"),
            endpoint_url=given.get("endpointurl"),
            initial=_initial(given.get("initialposition", "latest")),
            records_a_fetch=_count("maxRecordsPerFetch", given.get("maxrecordsperfetch", "10000"), 10_000),
            records_a_trigger=_count("maxRecordsPerTrigger", given.get("maxrecordspertrigger", "50000"), 10_000_000),
            fetch_seconds=_seconds("minFetchPeriod", given.get("minfetchperiod", "200ms")),
            list_seconds=_seconds("shardFetchInterval", given.get("shardfetchinterval", "1s")),
            fail_on_data_loss=_flag("failOnDataLoss", given.get("failondataloss", "true")),
        )


def _initial(text: str) -> ShardPosition | None:
    match text.strip().lower():
        case "latest":
            return None
        case "trim_horizon" | "earliest":
            return ShardPosition()
    try:
        return ShardPosition(at=milliseconds(datetime.fromisoformat(json.loads(text)["at_timestamp"])))
    except (ValueError, TypeError, KeyError) as error:
        raise ValueError(
            f"initialPosition {text!r} is none: expected latest, trim_horizon, earliest or "
            '{"at_timestamp": "2026-01-31T12:00:00+00:00"}'
        ) from error


def _count(name: str, text: str, most: int) -> int:
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= most):
        raise ValueError(f"{name} {text!r} is none: expected a whole number from 1 to {most}")
    return int(text)


def _seconds(name: str, text: str) -> float:
    number = text.rstrip("ms")
    try:
        return float(number) * UNITS[text[len(number) :]]
    except (ValueError, KeyError) as error:
        raise ValueError(f"{name} {text!r} is none: expected a time like 200ms, 1s or 2m") from error


def _flag(name: str, text: str) -> bool:
    if text.lower() not in ("true", "false"):
        raise ValueError(f"{name} {text!r} is none: expected true or false")
    return text.lower() == "true"
