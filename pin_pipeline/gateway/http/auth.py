"""API keys, sent as `x-api-key`. Without configured keys, only requests from this machine are admitted.

On AWS callers reach the gateway through API Gateway, which verifies their signatures (`infra/openapi.yaml`).
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass, field
from functools import cache
from ipaddress import ip_address
from typing import Any

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from pin_pipeline.gateway.http.json_response import json_response
from pin_pipeline.gateway.http.media_types import JSON

API_KEYS = "PIN_GATEWAY_API_KEYS"
PUBLIC_PATHS = ("/health",)
"""Paths that need no API key: load balancers probe them, and they return nothing but a status."""


@dataclass(frozen=True)
class Callers:
    """API keys of the callers."""

    api_keys: tuple[str, ...] = field(default=(), repr=False)

    def has_key(self, api_key: str) -> bool:
        """Return whether a caller has this key, comparing in constant time."""
        return sum(hmac.compare_digest(api_key.encode(), known.encode()) for known in self.api_keys) > 0


class ApiKeyMiddleware:
    """Refuses requests without a known API key, except those to a loopback address if no keys are configured.

    A request to a loopback address may come from anywhere, by a proxy or a forwarded port: configured keys are required
    there too. The address is that of the socket: headers such as Host and X-Forwarded-For do not count.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or respond with 403 in the format of API Gateway."""
        if scope["type"] != "http" or scope["path"] in PUBLIC_PATHS:
            await self._app(scope, receive, send)
            return
        callers: Callers = scope["app"].state.callers
        if not callers.api_keys and _is_local(scope):
            await self._app(scope, receive, send)
            return
        api_key = Headers(scope=scope).get("x-api-key")
        if api_key is not None and callers.has_key(api_key):
            await self._app(scope, receive, send)
            return
        reason = f"send one of {API_KEYS} as x-api-key" if api_key is None else "the x-api-key is unknown"
        await json_response({"message": f"Forbidden: {reason}"}, JSON, 403)(scope, receive, send)


def _is_local(scope: Scope) -> bool:
    server: Any = scope.get("server")
    if server is None or server[1] is None:  # a Unix socket
        return True
    return _is_loopback(server[0])


@cache
def _is_loopback(address: str) -> bool:
    return ip_address(address).is_loopback
