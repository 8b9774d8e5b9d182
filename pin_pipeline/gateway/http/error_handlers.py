"""Error responses of the app: every error in the format of the service that the route proxies."""

from __future__ import annotations

from http import HTTPStatus

import msgspec
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from pin_pipeline.gateway.errors import ApiError, KinesisApiError, kinesis_validation_error
from pin_pipeline.gateway.http.json_response import json_response
from pin_pipeline.gateway.http.media_types import JSON


class ErrorBody(msgspec.Struct):
    """Body of an error response in the format of the Confluent REST Proxy."""

    error_code: int
    message: str


class KinesisErrorBody(msgspec.Struct, rename={"error_type": "__type"}):
    """Body of an error response in the format of Kinesis."""

    error_type: str
    message: str


def add_error_handlers(app: FastAPI) -> None:
    """Register handlers for the gateway's own errors and for those of the framework."""

    @app.exception_handler(ApiError)
    async def api_error(request: Request, error: ApiError) -> Response:
        return _error_response(request, error)

    @app.exception_handler(RequestValidationError)
    async def invalid_request(request: Request, error: RequestValidationError) -> Response:
        [first, *_] = error.errors()
        location = ".".join(str(part) for part in first["loc"])
        status = 400 if first["type"] == "json_invalid" else 422
        return _error_response(request, ApiError(status, status, f"{location}: {first['msg']}"))

    @app.exception_handler(HTTPException)
    async def http_error(request: Request, error: HTTPException) -> Response:
        message = f"{request.method} {request.url.path}: {error.detail}"
        headers = dict(error.headers or {})
        return _error_response(request, ApiError(error.status_code, error.status_code, message, headers))

    @app.exception_handler(ClientDisconnect)
    async def client_disconnect(_request: Request, _error: ClientDisconnect) -> Response:
        return Response(status_code=HTTPStatus.BAD_REQUEST)  # nobody receives it

    @app.exception_handler(Exception)
    async def unexpected_error(request: Request, error: Exception) -> Response:
        message = f"{request.method} {request.url.path} failed: {error!r}; the gateway's log has the traceback"
        return _error_response(request, ApiError(500, 500, message))


def _error_response(request: Request, error: ApiError) -> Response:
    """Write `{"error_code": 40401, ...}`, or below /streams `{"__type": "...", ...}`."""
    path = request.scope["path"].removeprefix(request.scope.get("root_path", ""))
    if not path.startswith("/streams"):
        return json_response(ErrorBody(error.error_code, str(error)), status=error.status, headers=error.headers)
    if error.status in (400, 422) and not isinstance(error, KinesisApiError):
        error = kinesis_validation_error(str(error))
    body = KinesisErrorBody(_kinesis_error_type(error), str(error))
    return json_response(body, JSON, error.status, error.headers)


def _kinesis_error_type(error: ApiError) -> str:
    if isinstance(error, KinesisApiError):
        return error.error_type
    return HTTPStatus(error.status).phrase.title().replace(" ", "")
