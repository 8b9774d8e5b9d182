"""The service over HTTP: AWS's JSON protocol, an action a request."""

from __future__ import annotations

import os
from pathlib import Path

import orjson
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from pin_pipeline.local.kinesis_emulator.errors import KinesisError
from pin_pipeline.local.kinesis_emulator.log import StreamLog
from pin_pipeline.local.kinesis_emulator.service import Limits, Service

TARGET, MEDIA_TYPE = "Kinesis_20131202.", "application/x-amz-json-1.1"


def application() -> Starlette:
    """The service of the environment: its file is PIN_KINESIS_FILE."""
    region = os.environ.get("AWS_REGION", "us-east-1")
    service = Service(StreamLog(Path(os.environ["PIN_KINESIS_FILE"])), region, Limits.from_environment())

    async def act(request: Request) -> Response:
        action = request.headers.get("x-amz-target", "").removeprefix(TARGET)
        try:
            answer = service.call(action, orjson.loads(await request.body() or b"{}"))
        except orjson.JSONDecodeError:
            return _answer({"__type": "SerializationException", "message": "the request is no JSON"}, 400)
        except KinesisError as error:
            return _answer({"__type": error.code, "message": str(error)}, 400)
        return _answer(answer, 200)

    return Starlette(routes=[Route("/", act, methods=["POST"])])


def _answer(answer: dict[str, object], status: int) -> Response:
    return Response(orjson.dumps(answer), status, media_type=MEDIA_TYPE)
