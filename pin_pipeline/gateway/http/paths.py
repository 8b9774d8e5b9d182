"""Paths of requests: the stage, the slash at the end, and names with reserved characters."""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import quote, unquote

from starlette.convertors import Convertor, register_url_convertor
from starlette.types import ASGIApp, Receive, Scope, Send


class _Segment(Convertor[str]):
    """Percent-encoded segment of a path, such as a name in which `/` is encoded as `%2F`."""

    regex = "[^/]+"

    def convert(self, value: str) -> str:
        return unquote(value)

    def to_string(self, value: str) -> str:
        return quote(value, safe="")


register_url_convertor("segment", _Segment())


class PathMiddleware:
    """Brings the path of a request into the form of the routes, whose path parameters are `{name:segment}`.

    * Routes are matched with the percent-encoded path, so that a name may contain an encoded `/`.
    * One leading segment, the stage as in API Gateway, precedes every route: `/dev/topics/...` is `/topics/...` of the
      stage `dev`. The OpenAPI page of a stage links to it.
    * A slash at the end makes no difference.
    """

    def __init__(self, app: ASGIApp, paths: Iterable[str]) -> None:
        routes = tuple(paths)
        self._app = app
        self._roots = {path.split("/")[1] for path in routes}
        self._with_slash = frozenset(path for path in routes if path.endswith("/"))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on with its normalized path, and with its stage, if present, as root path."""
        if scope["type"] == "http":
            path = _encoded_path(scope).removesuffix("/")
            stage = self._stage(path)
            if f"{path.removeprefix(stage)}/" in self._with_slash:
                path += "/"
            scope = {**scope, "path": path or "/", "root_path": f"{scope.get('root_path', '')}{stage}"}
        await self._app(scope, receive, send)

    def _stage(self, path: str) -> str:
        """Return the stage with its slash, such as `/dev`; empty if the path has none."""
        first, _, rest = path.removeprefix("/").partition("/")
        return f"/{first}" if first not in self._roots and rest.partition("/")[0] in self._roots else ""


def _encoded_path(scope: Scope) -> str:
    """Return the path with each segment in one of its equivalent percent-encodings."""
    path: str = scope["raw_path"].decode("ascii")
    if "%" in path:
        path = "/".join(quote(unquote(segment), safe="") for segment in path.split("/"))
    return path
