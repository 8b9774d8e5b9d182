"""Errors that the gateway returns to its callers, with the status and error codes of the proxied services."""

from __future__ import annotations

from collections.abc import Iterable

from pin_pipeline.errors import PipelineError
from pin_pipeline.gateway.embedded_format import EmbeddedFormat
from pin_pipeline.records import RecordType
from pin_pipeline.records.accepted_values import accepted_values
from pin_pipeline.records.reasons import DESCRIPTIONS
from pin_pipeline.records.rules import Rejected

NON_RETRIABLE, RETRIABLE, FORBIDDEN, UNAVAILABLE = 50002, 50003, 40301, 50302
"""Error codes of the Confluent REST Proxy."""
RETRY_AFTER = {"Retry-After": "1"}
MAX_VALUE_CHARACTERS = 100
"""Length to which a message cuts a value of the caller."""


class ApiError(PipelineError):
    """Raised to end a request with an error response: HTTP status, Confluent error code and message."""

    def __init__(self, status: int, error_code: int, message: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.error_code = error_code
        self.headers = headers


class KinesisApiError(ApiError):
    """Raised to end a request with an error response in the format of Kinesis: its error type and message."""

    def __init__(self, status: int, error_type: str, message: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(status, status, message, headers)
        self.error_type = error_type


def topic_not_found(topic: str) -> ApiError:
    """Return the error for a topic that the broker does not have; the gateway creates none."""
    return ApiError(404, 40401, f"topic {topic!r} not found; GET /topics lists the existing topics")


def partition_not_found(topic: str, partition: int, partitions: int) -> ApiError:
    """Return the error for a record that names a partition its topic does not have."""
    return ApiError(404, 40402, f"partition {partition} not found: topic {topic!r} has 0..{partitions - 1}")


def body_not_json(reason: str) -> ApiError:
    """Return the error for a body that is not JSON."""
    return ApiError(400, 400, f"the body is not JSON: {reason}")


def unprocessable(message: str) -> ApiError:
    """Return the error for a body that is JSON, but not the expected request."""
    return ApiError(422, 422, message)


def not_acceptable(accept: str | None, supported: Iterable[str]) -> ApiError:
    """Return the error for an Accept header that allows no supported media type."""
    return ApiError(406, 406, f"cannot respond with Accept {accept!r}; supported are {', '.join(supported)}")


def unsupported_media_type(content_type: str | None, supported: Iterable[str]) -> ApiError:
    """Return the error for a Content-Type that the route does not support."""
    return ApiError(415, 415, f"cannot read Content-Type {content_type!r}; expected {', '.join(supported)}")


def record_rejected(record_type: RecordType, rejected: Rejected, position: int | None = None) -> ApiError:
    """Return the error for a record that fails validation and would only be quarantined.

    Args:
        record_type: the definition the record was validated against.
        rejected: the reason, and the field if one is to blame.
        position: index of the record in the request; None for a request that is one record.
    """
    at = "" if position is None else f" [{position}]"
    found = _finding(record_type, rejected)
    return unprocessable(f"{record_type.name} record{at} rejected: {rejected.reason}{found}")


def _finding(record_type: RecordType, rejected: Rejected) -> str:
    """Return what is wrong with a record: its field, value and what was expected if one is to blame."""
    field = next((field for field in record_type.fields if field.name == rejected.field), None)
    if field is None:
        return f": {DESCRIPTIONS[rejected.reason]}"
    value = rejected.value
    found = "missing" if value is None else value[:MAX_VALUE_CHARACTERS]
    return f" (field {field.name!r}): it is {found}; expected {accepted_values(field)}"


def consumer_not_found(group: str, name: str) -> ApiError:
    """Return the error for an instance that does not exist, or was removed after it had been idle."""
    return ApiError(404, 40403, f"consumer instance {name!r} of group {group!r} not found; create it first")


def consumer_exists(group: str, name: str) -> ApiError:
    """Return the error for an instance name that is already used in the group."""
    return ApiError(409, 40902, f"consumer instance {name!r} already exists in group {group!r}; choose another name")


def too_many_consumers(limit: int) -> ApiError:
    """Return the error for an instance beyond the limit."""
    message = f"the gateway keeps at most {limit} consumer instances; delete one, or retry later"
    return ApiError(429, 42901, message, RETRY_AFTER)


def illegal_state(message: str) -> ApiError:
    """Return the error for a consumer without a subscription, or with one of another type."""
    return ApiError(409, 40903, message)


def format_mismatch(accept: str | None, embedded_format: EmbeddedFormat) -> ApiError:
    """Return the error for an Accept header that excludes the consumer's embedded format."""
    expected = embedded_format.media_type
    return ApiError(
        406, 40601, f"this consumer has format {embedded_format}: Accept must allow {expected}, but is {accept!r}"
    )


def record_not_json(message: str) -> ApiError:
    """Return the error for a record that a consumer of format json cannot return."""
    hint = "read it with a consumer of format binary, or seek past it"
    return ApiError(500, NON_RETRIABLE, f"{message}; {hint}")


def too_large(limit: int) -> ApiError:
    """Return the error for a body beyond the size limit."""
    return ApiError(413, 413, f"the body is larger than {limit} bytes; send the records in smaller requests")


def too_many_records(limit: int) -> ApiError:
    """Return the error for a request with more records than the limit."""
    return ApiError(413, 413, f"the request has more than {limit} records; send them in smaller requests")


def unsupported_encoding(encoding: str) -> ApiError:
    """Return the error for a body that is compressed."""
    return ApiError(415, 415, f"cannot read Content-Encoding {encoding!r}; send the body uncompressed")


def too_many_bytes_in_flight(message: str) -> ApiError:
    """Return the error for a request that would exceed the limit of bytes in flight."""
    return ApiError(429, 42901, message, RETRY_AFTER)


def kinesis_validation_error(message: str) -> KinesisApiError:
    """Return the error for a request that is not valid for Kinesis."""
    return KinesisApiError(400, "ValidationException", message)


def kinesis_throttled(error_type: str, message: str) -> KinesisApiError:
    """Return the error for a request that Kinesis throttled."""
    return KinesisApiError(429, error_type, f"{message}; retry after the seconds in Retry-After", RETRY_AFTER)


def kinesis_unavailable(endpoint_url: str, action: str, reason: object) -> KinesisApiError:
    """Return the error for a request that Kinesis did not answer."""
    message = f"Kinesis {action} failed at {endpoint_url}: {reason}; check that it is running, then retry"
    return KinesisApiError(503, "ServiceUnavailable", message, RETRY_AFTER)


def stream_management_disabled() -> KinesisApiError:
    """Return the error for creating or deleting a stream while that is disabled."""
    message = "creating and deleting streams is disabled; PIN_GATEWAY_MANAGE_STREAMS=1 enables it"
    return KinesisApiError(403, "AccessDeniedException", message)
