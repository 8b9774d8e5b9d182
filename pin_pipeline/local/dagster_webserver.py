"""Dagster's web server behind the guard, with the options of `dagster-webserver`.

The UI launches runs and changes schedules by GraphQL mutations. Dagster's server also accepts them in the URL of a GET
request and in a body of plain text, which any page can send without a preflight request.
"""

from __future__ import annotations

import runpy
from http import HTTPStatus
from typing import Any

import uvicorn
from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from pin_pipeline.local.guard import LoopbackGuard

GRAPHQL = "/graphql"
JSON = "application/json"


class JsonGraphqlOnly:
    """ASGI middleware that accepts GraphQL only as JSON in the body of a POST request, as the UI sends it."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or refuse it with 405 or 415."""
        refused = _refusal(scope) if scope["type"] == "http" and scope["path"].rstrip("/") == GRAPHQL else None
        await (refused or self._app)(scope, receive, send)


def _refusal(scope: Scope) -> ASGIApp | None:
    media_type = Headers(scope=scope).get("content-type", "").partition(";")[0].strip().lower()
    if scope["method"] != "POST":
        return PlainTextResponse("refused: send GraphQL requests by POST\n", HTTPStatus.METHOD_NOT_ALLOWED)
    if media_type != JSON:
        return PlainTextResponse(f"refused: send GraphQL requests as {JSON}\n", HTTPStatus.UNSUPPORTED_MEDIA_TYPE)
    return None


def main() -> None:
    """Run the web server; its command has no option for a middleware, so the guard is added when its app is served."""
    serve = uvicorn.run

    def serve_guarded(app: ASGIApp, **options: Any) -> None:  # noqa: ANN401 - options of uvicorn
        serve(LoopbackGuard(JsonGraphqlOnly(app)), proxy_headers=False, **options)

    uvicorn.run = serve_guarded  # type: ignore[assignment]
    runpy.run_module("dagster_webserver", run_name="__main__")


if __name__ == "__main__":
    main()
