"""HTTP application of the emulator: AWS's JSON protocol, one action per request."""

from __future__ import annotations

import orjson
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from pin_pipeline.local.kinesis_emulator.errors import KinesisRequestError
from pin_pipeline.local.kinesis_emulator.quotas import Quotas
from pin_pipeline.local.kinesis_emulator.service import KinesisService
from pin_pipeline.local.kinesis_emulator.stream_store import StreamStore
from pin_pipeline.settings import EmulatedKinesisSettings

TARGET, MEDIA_TYPE = "Kinesis_20131202.", "application/x-amz-json-1.1"


def application() -> Starlette:
    """Create the application from the settings of the process."""
    settings = EmulatedKinesisSettings.load()
    quotas = Quotas(settings.iterator_seconds, settings.retention_seconds, settings.reads_per_second)
    service = KinesisService(StreamStore(settings.file), settings.region, quotas)

    async def handle(request: Request) -> Response:
        action = request.headers.get("x-amz-target", "").removeprefix(TARGET)
        try:
            result = service.call(action, orjson.loads(await request.body() or b"{}"))
        except orjson.JSONDecodeError:
            return _response({"__type": "SerializationException", "message": "the request body is not JSON"}, 400)
        except KinesisRequestError as error:
            return _response({"__type": error.code, "message": str(error)}, 400)
        return _response(result, 200)

    return Starlette(routes=[Route("/", handle, methods=["POST"])])


def _response(body: dict[str, object], status: int) -> Response:
    return Response(orjson.dumps(body), status, media_type=MEDIA_TYPE)
