"""Errors of the Kafka clients, translated into error responses."""

from __future__ import annotations

from confluent_kafka import KafkaError as DeliveryError
from kafka.errors import (
    CommitFailedError,
    GroupAuthorizationFailedError,
    IllegalGenerationError,
    IllegalStateError,
    InconsistentGroupProtocolError,
    InvalidGroupIdError,
    InvalidTopicError,
    KafkaError,
    NoOffsetForPartitionError,
    OffsetMetadataTooLargeError,
    OffsetOutOfRangeError,
    RebalanceInProgressError,
    TopicAuthorizationFailedError,
    UnknownMemberIdError,
)

from pin_pipeline.gateway.errors import (
    FORBIDDEN,
    NON_RETRIABLE,
    RETRIABLE,
    RETRY_AFTER,
    UNAVAILABLE,
    ApiError,
    illegal_state,
    unprocessable,
)

UNDELIVERED = (
    DeliveryError._MSG_TIMED_OUT,  # noqa: SLF001
    DeliveryError._TRANSPORT,  # noqa: SLF001
    DeliveryError._ALL_BROKERS_DOWN,  # noqa: SLF001
    DeliveryError._QUEUE_FULL,  # noqa: SLF001
)
"""Codes of librdkafka for records that it could not deliver in time."""


NOT_A_MEMBER = (CommitFailedError, IllegalGenerationError, RebalanceInProgressError, UnknownMemberIdError)
"""Refusals of a commit by a group that is active, and in which the consumer is not a member at this moment."""
INVALID = (InvalidGroupIdError, InvalidTopicError, OffsetMetadataTooLargeError)
WITHOUT_POSITION = (NoOffsetForPartitionError, OffsetOutOfRangeError)


def broker_unavailable(bootstrap: str, reason: object) -> ApiError:
    """Return the error for a broker that did not respond in time."""
    message = (
        f"Kafka broker {bootstrap} did not respond ({reason}); check that it is running, then send the request again"
    )
    return ApiError(503, UNAVAILABLE, message, RETRY_AFTER)


def broker_error(bootstrap: str, error: KafkaError) -> ApiError:
    """Return the error for a request that the broker refused as a whole."""
    if isinstance(error, TopicAuthorizationFailedError | GroupAuthorizationFailedError):
        return ApiError(403, FORBIDDEN, f"Kafka broker {bootstrap} does not authorize the gateway: {error}")
    return broker_unavailable(bootstrap, repr(error))


def consumer_error(bootstrap: str, error: KafkaError) -> ApiError:
    """Return the error for a request of a consumer: 409 or 422 if the client can correct it, else as `broker_error`."""
    if isinstance(error, NOT_A_MEMBER):
        return illegal_state(f"the consumer is not a member of its group at this moment; read, then commit: {error}")
    if isinstance(error, WITHOUT_POSITION):
        return illegal_state(f"the consumer has no position, and auto.offset.reset chooses no other: {error}")
    if isinstance(error, IllegalStateError | InconsistentGroupProtocolError):
        return illegal_state(str(error))
    if isinstance(error, INVALID):
        return unprocessable(str(error))
    return broker_error(bootstrap, error)


def is_retriable(error: DeliveryError) -> bool:
    """Return whether sending a refused record again may succeed."""
    return error.retriable() or error.code() in UNDELIVERED


def record_error_code(error: DeliveryError) -> int:
    """Return Confluent's error code for one refused record: forbidden, retriable or not."""
    if error.code() == DeliveryError.TOPIC_AUTHORIZATION_FAILED:
        return FORBIDDEN
    return RETRIABLE if is_retriable(error) else NON_RETRIABLE


def record_refused(error: DeliveryError) -> ApiError:
    """Return the error for one record that the broker refused for good."""
    status = 403 if error.code() == DeliveryError.TOPIC_AUTHORIZATION_FAILED else 422
    return ApiError(status, record_error_code(error), f"the broker refused the record: {error.str()}")
