"""What goes wrong, as the callers of the proxied services expect to be told it."""

from __future__ import annotations

from collections.abc import Iterable
from http import HTTPStatus

from confluent_kafka import KafkaError as Refusal
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from kafka.errors import KafkaError, TopicAuthorizationFailedError
from starlette.exceptions import HTTPException

from pin_pipeline.gateway.http.media_types import Embedded
from pin_pipeline.gateway.http.replies import reply
from pin_pipeline.records import RecordType
from pin_pipeline.records.reasons import DESCRIPTIONS
from pin_pipeline.records.rules import Rejected

NON_RETRIABLE, RETRIABLE, FORBIDDEN, UNAVAILABLE = 50002, 50003, 40301, 50302
# librdkafka's own codes for records that it could not bring to the broker in time.
UNDELIVERED = (Refusal._MSG_TIMED_OUT, Refusal._TRANSPORT, Refusal._ALL_BROKERS_DOWN, Refusal._QUEUE_FULL)  # noqa: SLF001
RETRY_AFTER = {"Retry-After": "1"}


class ApiError(Exception):
    """What a caller is told instead of a result: HTTP status, Confluent's error code, and a sentence."""

    def __init__(self, status: int, error_code: int, message: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.error_code = error_code
        self.headers = headers


class KinesisRouteError(ApiError):
    """What a caller of the streams is told, in Kinesis's words: its name for the error, and a sentence."""

    def __init__(self, status: int, record_type: str, message: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(status, status, message, headers)
        self.record_type = record_type


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


def unsupported(content_type: str | None, expected: Iterable[str]) -> ApiError:
    """The body is in a media type that the route does not read."""
    return ApiError(415, 415, f"cannot read Content-Type {content_type!r}; expected {', '.join(expected)}")


def misfit(record_type: RecordType, problem: Rejected, where: str = "") -> ApiError:
    """A record does not fit its kind, and would only go to quarantine."""
    named = "" if problem.field is None else f" (field {problem.field!r})"
    return unprocessable(
        f"{where}no {record_type.name} record: {problem.reason}{named}; {DESCRIPTIONS[problem.reason]}"
    )


def consumer_not_found(group: str, name: str) -> ApiError:
    """There is no such instance, or it was removed because nobody used it."""
    return ApiError(404, 40403, f"consumer instance {name!r} of group {group!r} not found; create it first")


def consumer_exists(group: str, name: str) -> ApiError:
    """The group has an instance of that name."""
    return ApiError(409, 40902, f"consumer instance {name!r} already exists in group {group!r}; name it otherwise")


def too_many_consumers(limit: int) -> ApiError:
    """No more instances are kept."""
    message = f"the gateway keeps {limit} consumer instances at most; remove one, or send this again later"
    return ApiError(429, 42901, message, RETRY_AFTER)


def illegal_state(message: str) -> ApiError:
    """The consumer cannot do this now: no subscription, or one of another type."""
    return ApiError(409, 40903, message)


def format_mismatch(accept: str | None, embedded: Embedded) -> ApiError:
    """The records are not embedded in what the caller takes."""
    return ApiError(
        406, 40601, f"this consumer embeds records as {embedded}, {embedded.media_type}; Accept is {accept!r}"
    )


def not_deserialized(where: str, message: str) -> ApiError:
    """A record on the topic is not what the consumer's format says."""
    hint = "read it by a consumer of format binary, or seek behind it"
    return ApiError(500, NON_RETRIABLE, f"the record in {where} is not JSON: {message}; {hint}")


def too_large(message: str) -> ApiError:
    """The request is more than the gateway takes at once."""
    return ApiError(413, 413, message)


def busy(message: str) -> ApiError:
    """More records wait for the broker than the gateway holds."""
    return ApiError(429, 42901, message, RETRY_AFTER)


def broker_unavailable(bootstrap: str, error: object) -> ApiError:
    """The broker did not answer in time."""
    message = f"Kafka broker {bootstrap} did not answer ({error}); check that it runs, then send the request again"
    return ApiError(503, UNAVAILABLE, message, RETRY_AFTER)


def broker_error(bootstrap: str, error: KafkaError) -> ApiError:
    """What the broker's refusal of a whole request means to the caller."""
    if isinstance(error, TopicAuthorizationFailedError):
        return ApiError(403, FORBIDDEN, f"Kafka broker {bootstrap} does not let the gateway do this: {error}")
    return broker_unavailable(bootstrap, repr(error))


def stream_invalid(message: str) -> KinesisRouteError:
    """The request is none that Kinesis could be asked."""
    return KinesisRouteError(400, "ValidationException", message)


def stream_throttled(record_type: str, message: str) -> KinesisRouteError:
    """Kinesis takes no more for now."""
    return KinesisRouteError(
        429, record_type, f"{message}; send the request again after Retry-After seconds", RETRY_AFTER
    )


def streams_unavailable(endpoint_url: str, action: str, error: object) -> KinesisRouteError:
    """Kinesis did not answer."""
    message = f"Kinesis at {endpoint_url} did not answer {action} ({error}); check that it runs, then send this again"
    return KinesisRouteError(503, "ServiceUnavailable", message, RETRY_AFTER)


def management_refused() -> KinesisRouteError:
    """Streams are not created or deleted through this gateway."""
    message = "this gateway neither creates nor deletes streams; PIN_GATEWAY_MANAGE_STREAMS=1 switches it on"
    return KinesisRouteError(403, "AccessDeniedException", message)


def worth_another_try(refusal: Refusal) -> bool:
    """Whether sending a refused record again may help."""
    return refusal.retriable() or refusal.code() in UNDELIVERED


def record_error_code(refusal: Refusal) -> int:
    """Confluent's code for one refused record: whether sending it again may help."""
    if refusal.code() == Refusal.TOPIC_AUTHORIZATION_FAILED:
        return FORBIDDEN
    return RETRIABLE if worth_another_try(refusal) else NON_RETRIABLE


def record_refused(refusal: Refusal) -> ApiError:
    """The broker does not take a record, and never will."""
    status = 403 if refusal.code() == Refusal.TOPIC_AUTHORIZATION_FAILED else 422
    return ApiError(status, record_error_code(refusal), f"the broker refuses the record: {refusal.str()}")


def add_error_handlers(app: FastAPI) -> None:
    """Give every error of the app, its own and the framework's, the shape that the proxied service would give it."""

    @app.exception_handler(ApiError)
    async def api_error(request: Request, error: ApiError) -> Response:
        return _error(request, error)

    @app.exception_handler(RequestValidationError)
    async def invalid_request(request: Request, error: RequestValidationError) -> Response:
        [first, *_] = error.errors()
        where = ".".join(str(part) for part in first["loc"])
        status = 400 if first["type"] == "json_invalid" else 422
        return _error(request, ApiError(status, status, f"{where}: {first['msg']}"))

    @app.exception_handler(HTTPException)
    async def http_error(request: Request, error: HTTPException) -> Response:
        message = f"{request.method} {request.url.path}: {error.detail}"
        return _error(request, ApiError(error.status_code, error.status_code, message, dict(error.headers or {})))

    @app.exception_handler(Exception)
    async def unexpected_error(request: Request, error: Exception) -> Response:
        message = f"{request.method} {request.url.path} failed: {error!r}; the gateway's log has the traceback"
        return _error(request, ApiError(500, 500, message))


def _error(request: Request, error: ApiError) -> Response:
    """Confluent's shape, `{"error_code": 40401, ...}`; below /streams Kinesis's, `{"__type": "...", ...}`."""
    path = request.scope["path"].removeprefix(request.scope.get("root_path", ""))
    if not path.startswith("/streams"):
        content: dict[str, object] = {"error_code": error.error_code, "message": str(error)}
        return reply(content, status=error.status, headers=error.headers)
    if error.status in (400, 422) and not isinstance(error, KinesisRouteError):
        error = stream_invalid(str(error))
    record_type = (
        error.record_type
        if isinstance(error, KinesisRouteError)
        else HTTPStatus(error.status).phrase.title().replace(" ", "")
    )
    return reply({"__type": record_type, "message": str(error)}, "application/json", error.status, error.headers)
