"""Routes for endpoints that records are posted to, one a request by some, thousands a second."""

from __future__ import annotations

from fastapi import Request, Response
from fastapi.routing import APIRoute
from starlette.types import Receive, Scope, Send


class DirectRoute(APIRoute):
    """Calls its endpoint with the request and the path's parameters alone.

    FastAPI otherwise looks for dependencies, which takes longer than to bring a record to the broker.
    """

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer by what the endpoint returns."""
        if scope["method"] not in (self.methods or ()):
            await super().handle(scope, receive, send)
            return
        response: Response = await self.endpoint(request=Request(scope, receive, send), **scope["path_params"])
        await response(scope, receive, send)
