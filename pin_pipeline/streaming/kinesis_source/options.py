"""Options of the `kinesis` source, with the names that Databricks' own source uses."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from pin_pipeline.streaming.kinesis_source.position import ShardPosition
from pin_pipeline.streaming.kinesis_source.service import epoch_milliseconds

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
class KinesisOptions:
    """Options of a query's source.

    Attributes:
        stream: name of the stream.
        region: region of the stream; by default that of the AWS configuration.
        endpoint_url: address of Kinesis; by default that of AWS.
        initial: where a query without a checkpoint starts in the existing shards; None for records that arrive later.
        records_per_fetch: maximum number of records per request.
        records_per_trigger: maximum number of records per micro-batch.
        fetch_seconds: minimum time between two requests to a shard; AWS allows five per second.
        list_seconds: minimum time between two listings of the shards.
        fail_on_data_loss: whether to fail when records may have aged out before they were read.
    """

    stream: str
    region: str | None
    endpoint_url: str | None
    initial: ShardPosition | None
    records_per_fetch: int
    records_per_trigger: int
    fetch_seconds: float
    list_seconds: float
    fail_on_data_loss: bool

    @classmethod
    def parse(cls, options: Mapping[str, str]) -> KinesisOptions:
        """Parse the options of a query. Names are case-insensitive, because Spark converts them to lower case.

        Raises:
            ValueError: an option is unknown, missing or invalid.
        """
        given = {name.lower(): value for name, value in options.items() if name.lower() != "path"}
        known = {name.lower() for name in NAMES}
        for name in given:
            if name not in known:
                raise ValueError(f"unknown option {name!r} of the kinesis source: expected one of {', '.join(NAMES)}")
        if not given.get("streamname"):
            raise ValueError("missing option streamName of the kinesis source: set it to the name of the stream")
        return cls(
            stream=given["streamname"],
            region=given.get("region"),
            endpoint_url=given.get("endpointurl"),
            initial=_initial_position(given.get("initialposition", "latest")),
            records_per_fetch=_count("maxRecordsPerFetch", given.get("maxrecordsperfetch", "10000"), 10_000),
            records_per_trigger=_count("maxRecordsPerTrigger", given.get("maxrecordspertrigger", "50000"), 10_000_000),
            fetch_seconds=_seconds("minFetchPeriod", given.get("minfetchperiod", "200ms")),
            list_seconds=_seconds("shardFetchInterval", given.get("shardfetchinterval", "1s")),
            fail_on_data_loss=_boolean("failOnDataLoss", given.get("failondataloss", "true")),
        )


def _initial_position(text: str) -> ShardPosition | None:
    match text.strip().lower():
        case "latest":
            return None
        case "trim_horizon" | "earliest":
            return ShardPosition()
    try:
        return ShardPosition(at=epoch_milliseconds(datetime.fromisoformat(json.loads(text)["at_timestamp"])))
    except (ValueError, TypeError, KeyError) as error:
        raise ValueError(
            f"invalid initialPosition {text!r}: expected latest, trim_horizon, earliest or "
            '{"at_timestamp": "2026-01-31T12:00:00+00:00"}'
        ) from error


def _count(name: str, text: str, maximum: int) -> int:
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= maximum):
        raise ValueError(f"invalid {name} {text!r}: expected an integer from 1 to {maximum}")
    return int(text)


def _seconds(name: str, text: str) -> float:
    number = text.rstrip("ms")
    try:
        return float(number) * UNITS[text[len(number) :]]
    except (ValueError, KeyError) as error:
        raise ValueError(f"invalid {name} {text!r}: expected a duration such as 200ms, 1s or 2m") from error


def _boolean(name: str, text: str) -> bool:
    if text.lower() not in ("true", "false"):
        raise ValueError(f"invalid {name} {text!r}: expected true or false")
    return text.lower() == "true"
