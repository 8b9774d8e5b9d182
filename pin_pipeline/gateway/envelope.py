"""The body of a produce request, read so that each key and value keeps the very text it was sent in."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import Any

from pin_pipeline.gateway.errors import malformed, unprocessable
from pin_pipeline.gateway.exact import ExactText, NotJsonError, WrongShapeError, one_line
from pin_pipeline.gateway.media import Embedded

RECORD_FIELDS = ("value", "key", "partition")


@dataclass(frozen=True, slots=True)
class Record:
    """One record of a request: its key and value as they go to the topic, None for none.

    Of a value embedded as JSON also what it says, for choosing a partition.
    """

    value: bytes | None
    key: bytes | None
    partition: int | None
    decoded: Any = None


def read_records(body: bytes, embedded: Embedded) -> list[Record]:
    """The records of `{"records": [{"value": ..., "key"?: ..., "partition"?: ...}, ...]}`, in order.

    Embedded as JSON, a key and a value go to the topic in the very text they were sent in; embedded as binary, they are
    base64 or null.

    Raises:
        ApiError: 400 where the body is not JSON, 422 where it is not a produce request.
    """
    try:
        return _request(ExactText(body), embedded)
    except NotJsonError as error:
        raise malformed(str(error)) from error
    except WrongShapeError as error:
        raise unprocessable(str(error)) from error


def _request(text: ExactText, embedded: Embedded) -> list[Record]:
    records: list[Record] | None = None
    for name in text.members("the body"):
        if name != "records":
            raise WrongShapeError(f"the body has a field {name!r}; expected 'records' only")
        if records is not None:
            raise WrongShapeError("the body has the field 'records' twice")
        records = [_record(text, f"records[{position}]", embedded) for position in text.elements("records")]
    text.expect_end()
    if not records:
        raise WrongShapeError("the body has no records; expected {'records': [{'value': ...}, ...]}")
    return records


def _record(text: ExactText, where: str, embedded: Embedded) -> Record:
    found = text.fields(where, RECORD_FIELDS)
    if "value" not in found:
        raise WrongShapeError(f"{where} has no value; expected {{'value': ...}}")
    key, key_text = found.get("key", (None, ""))
    partition, partition_text = found.get("partition", (None, ""))
    if partition is not None and (type(partition) is not int or partition < 0):
        raise WrongShapeError(f"{where} has partition {partition_text:.40}; expected a whole number from 0")
    decoded, value = found["value"]
    if embedded is Embedded.BINARY:
        return Record(_bytes(decoded, f"the value of {where}"), _bytes(key, f"the key of {where}"), partition)
    return Record(one_line(value), None if key is None else one_line(key_text), partition, decoded)


def _bytes(text: Any, where: str) -> bytes | None:  # noqa: ANN401 - any JSON value
    if text is None:
        return None
    try:
        return base64.b64decode(text, validate=True)
    except (TypeError, ValueError):
        raise WrongShapeError(f"{where} is {text!r:.40}; expected base64 or null") from None
