"""Routes for endpoints that records are posted to, one a request by some, thousands a second."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request, Response
from fastapi.routing import APIRoute


class DirectRoute(APIRoute):
    """Calls its endpoint with the request and the path's parameters alone.

    FastAPI otherwise looks for dependencies, which takes longer than to bring a record to the broker.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The endpoint itself."""

        async def handle(request: Request) -> Response:
            response: Response = await self.endpoint(request=request, **request.path_params)
            return response

        return handle
