"""Guard of the local HTTP servers against web pages and other users: both can send requests to the loopback interface.

A page of another site reaches a server on the loopback interface in three ways, and the guard closes each of them:

* It sends requests itself. A browser names the page in `Origin`, and its relation to the server in `Sec-Fetch-Site`.
* It resolves a host name of its own to 127.0.0.1 (DNS rebinding), so that the browser takes both for one site. The
  name is in `Host`.
* It reads the response, if the server permits it by CORS headers, as emulators of AWS do for every origin.

Of these headers, clients that are not browsers send only `Host`, so they are not affected.

Processes of other users of this machine are identified by their sockets (`pin_pipeline.local.peers`).
"""

from __future__ import annotations

from collections.abc import Collection
from http import HTTPStatus

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pin_pipeline.local.peers import Address, is_own_client

HOST_NAMES = ("127.0.0.1", "localhost", "[::1]")
OWN_PAGES = {"same-origin", "none"}
"""Values of `Sec-Fetch-Site` for requests of a server's own pages, and of the user: an address typed, or a bookmark."""
CORS_HEADER_PREFIX = b"access-control-"
HTTP_PORT = 80
MAX_VERIFIED = 10_000
"""Connections that are remembered; a lookup takes 12 microseconds, as much as 7 % of a request to the gateway."""
POLICY_VIOLATION = 1008
"""Close code of a WebSocket (RFC 6455, section 7.4.1)."""


class LoopbackGuard:
    """ASGI middleware that refuses requests of other users and of pages of other origins.

    It permits no page to read its responses, except those of listed origins.

    Args:
        app: the guarded application.
        origins: origins whose pages may send requests and read the responses, such as `https://app.example.org`.
        hidden: prefixes of paths that do not exist for clients.
    """

    def __init__(self, app: ASGIApp, origins: Collection[str] = (), hidden: tuple[str, ...] = ()) -> None:
        self._app, self._origins, self._hidden = app, frozenset(origins), hidden
        self._verified: dict[Address, Address] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or refuse it with 403, or 404 for a hidden path."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        reason = self._reason(scope, headers)
        if reason:
            await _refuse(scope, receive, send, HTTPStatus.FORBIDDEN, f"refused: {reason}")
        elif scope["path"].startswith(self._hidden):
            await _refuse(scope, receive, send, HTTPStatus.NOT_FOUND, "not found")
        else:
            allowed = headers.get("origin") in self._origins
            await self._app(scope, receive, send if allowed else _without_cors_headers(send))

    def _reason(self, scope: Scope, headers: Headers) -> str | None:
        """Return why a request is refused; None if it is not."""
        host, origin, site = headers.getlist("host"), headers.get("origin"), headers.get("sec-fetch-site")
        own_hosts = _own_hosts(scope)
        if not self._is_own_connection(scope):
            return "only processes of the user who started this server may use it"
        if len(host) != 1 or host[0].lower() not in own_hosts:
            return f"the Host {', '.join(host)!r} is not {' or '.join(own_hosts)}"
        if origin in self._origins:
            return None
        if origin is not None and origin.lower() not in {f"http://{own}" for own in own_hosts}:
            return f"pages of the origin {origin!r} may not use this server"
        if site is not None and site not in OWN_PAGES and not _is_link(scope, headers):
            return f"pages of other origins may not use this server (Sec-Fetch-Site {site!r})"
        return None

    def _is_own_connection(self, scope: Scope) -> bool:
        """Return whether the client is a process of the user, which is looked up once per connection.

        A server has one address object per connection. As long as it is kept here, no other connection can have it.
        """
        client = scope["client"]
        if self._verified.get(client) is client:
            return True
        if not is_own_client(client, scope["server"]):
            return False
        if len(self._verified) >= MAX_VERIFIED:
            self._verified.clear()
        self._verified[client] = client
        return True


def _own_hosts(scope: Scope) -> tuple[str, ...]:
    """Return the values of `Host` that name this server."""
    _, port = scope["server"]
    suffix = "" if port == HTTP_PORT else f":{port}"
    return tuple(f"{name}{suffix}" for name in HOST_NAMES)


def _is_link(scope: Scope, headers: Headers) -> bool:
    """Return whether the user follows a link from another server of this machine, such as from the UI."""
    navigation = (headers.get("sec-fetch-mode"), headers.get("sec-fetch-dest")) == ("navigate", "document")
    return navigation and headers["sec-fetch-site"] == "same-site" and scope.get("method") == "GET"


def _without_cors_headers(send: Send) -> Send:
    async def send_without(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = message.get("headers", ())
            message["headers"] = [pair for pair in headers if not pair[0].lower().startswith(CORS_HEADER_PREFIX)]
        await send(message)

    return send_without


async def _refuse(scope: Scope, receive: Receive, send: Send, status: HTTPStatus, text: str) -> None:
    """Respond to a request; a connection of a WebSocket is closed before it is accepted."""
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": POLICY_VIOLATION, "reason": text})
    else:
        await PlainTextResponse(f"{text}\n", status)(scope, receive, send)
