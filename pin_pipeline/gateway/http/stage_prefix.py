"""Stage prefix as in API Gateway: `/dev/topics/...` is `/topics/...` of the stage `dev`."""

from __future__ import annotations

from collections.abc import Iterable

from starlette.types import ASGIApp, Receive, Scope, Send


class StagePrefixMiddleware:
    """Accepts one leading path segment, the stage, before every route; the OpenAPI page of a stage links to it."""

    def __init__(self, app: ASGIApp, paths: Iterable[str]) -> None:
        self._app = app
        self._roots = {path.split("/")[1] for path in paths}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Use the stage, if present, as the root path of the app."""
        if scope["type"] == "http" and (stage := self._stage(scope["path"])):
            scope = {**scope, "root_path": f"{scope.get('root_path', '')}/{stage}"}
        await self._app(scope, receive, send)

    def _stage(self, path: str) -> str | None:
        first, _, rest = path.removeprefix("/").partition("/")
        return first if first not in self._roots and rest.partition("/")[0] in self._roots else None
