"""Route for endpoints that receive thousands of requests per second, many of them with a single record."""

from __future__ import annotations

from fastapi import Request, Response
from fastapi.routing import APIRoute
from starlette.types import Receive, Scope, Send


class DirectRoute(APIRoute):
    """Calls its endpoint with the request and the path parameters only.

    Resolving FastAPI's dependencies would take longer than delivering a record to the broker.
    """

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the response that the endpoint returns."""
        if scope["method"] not in (self.methods or ()):
            await super().handle(scope, receive, send)
            return
        response: Response = await self.endpoint(request=Request(scope, receive, send), **scope["path_params"])
        await response(scope, receive, send)
