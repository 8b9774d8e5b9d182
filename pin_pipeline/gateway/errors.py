"""Errors in the Kafka REST Proxy's shape, `{"error_code": 40401, "message": "..."}`."""

from __future__ import annotations

import orjson
from fastapi import FastAPI, Request, Response
from kafka.errors import BrokerResponseError, KafkaError, TopicAuthorizationFailedError
from starlette.exceptions import HTTPException

from pin_pipeline.gateway.media import KAFKA_V2
from pin_pipeline.records import RecordKind
from pin_pipeline.records.reasons import DESCRIPTIONS
from pin_pipeline.records.rules import Problem

NON_RETRIABLE, RETRIABLE, FORBIDDEN = 50002, 50003, 40301
RETRY_AFTER = {"Retry-After": "1"}


class ApiError(Exception):
    """What a caller is told instead of a result: HTTP status, Confluent's error code, and a sentence."""

    def __init__(self, status: int, error_code: int, message: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.error_code = error_code
        self.headers = headers


def topic_not_found(topic: str) -> ApiError:
    """The broker knows no such topic; the gateway creates none."""
    return ApiError(404, 40401, f"topic {topic!r} not found; GET /topics lists the topics there are")


def partition_not_found(topic: str, partition: int, partitions: int) -> ApiError:
    """A record names a partition that its topic does not have."""
    return ApiError(404, 40402, f"partition {partition} not found: topic {topic!r} has 0..{partitions - 1}")


def malformed(message: str) -> ApiError:
    """The body is not JSON."""
    return ApiError(400, 400, f"the body is not JSON: {message}")


def unprocessable(message: str) -> ApiError:
    """The body is JSON, but not a produce request."""
    return ApiError(422, 422, message)


def misfit(kind: RecordKind, problem: Problem) -> ApiError:
    """A record does not fit its kind, and would only go to quarantine."""
    named = "" if problem.field is None else f" (field {problem.field!r})"
    return unprocessable(f"no {kind.name} record: {problem.reason}{named}; {DESCRIPTIONS[problem.reason]}")


def too_large(message: str) -> ApiError:
    """The request is more than the gateway takes at once."""
    return ApiError(413, 413, message)


def busy(message: str) -> ApiError:
    """More records wait for the broker than the gateway holds."""
    return ApiError(429, 42901, message, RETRY_AFTER)


def broker_unavailable(bootstrap: str, error: object) -> ApiError:
    """The broker did not answer in time."""
    message = f"Kafka broker {bootstrap} did not answer ({error!r}); check that it runs, then send the request again"
    return ApiError(503, 50302, message, RETRY_AFTER)


def broker_error(bootstrap: str, error: KafkaError) -> ApiError:
    """What the broker's refusal of a whole request means to the caller."""
    if isinstance(error, TopicAuthorizationFailedError):
        return ApiError(403, FORBIDDEN, f"Kafka broker {bootstrap} does not let the gateway do this: {error}")
    return broker_unavailable(bootstrap, error)


def record_error_code(error: KafkaError) -> int:
    """Confluent's code for one refused record: whether sending it again may help."""
    if isinstance(error, TopicAuthorizationFailedError):
        return FORBIDDEN
    return RETRIABLE if error.retriable else NON_RETRIABLE


def record_error_message(error: KafkaError) -> str:
    """Why one record was refused; the broker itself often says no more than a number."""
    if isinstance(error, BrokerResponseError) and not any(error.args):
        return f"{type(error).__name__}: {error.description}"
    return str(error)


def add_error_handlers(app: FastAPI) -> None:
    """Give every error of the app, its own and the framework's, Confluent's shape."""

    @app.exception_handler(ApiError)
    async def api_error(_request: Request, error: ApiError) -> Response:
        return _reply(error.status, error.error_code, str(error), error.headers)

    @app.exception_handler(HTTPException)
    async def http_error(request: Request, error: HTTPException) -> Response:
        message = f"{request.method} {request.url.path}: {error.detail}"
        return _reply(error.status_code, error.status_code, message, dict(error.headers or {}))

    @app.exception_handler(Exception)
    async def unexpected_error(request: Request, error: Exception) -> Response:
        message = f"{request.method} {request.url.path} failed: {error!r}; the gateway's log has the traceback"
        return _reply(500, 500, message)


def _reply(status: int, error_code: int, message: str, headers: dict[str, str] | None = None) -> Response:
    content = orjson.dumps({"error_code": error_code, "message": message})
    return Response(content, status, headers, media_type=KAFKA_V2)
