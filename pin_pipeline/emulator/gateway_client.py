"""Requests to the gateway: what is safe to try again is tried again, and every record is accounted for."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any, Self

import httpx

from pin_pipeline.emulator.signing import signature_for

JSON = "application/json"
TIMEOUT_SECONDS = 60
ATTEMPTS = 6
FIRST_WAIT_SECONDS = 0.25
LONGEST_WAIT_SECONDS = 10.0
RETRYABLE = (429, 503)
SHOWN_CHARACTERS = 300

log = logging.getLogger(__name__)


class GatewayError(Exception):
    """A request to the gateway failed for good; says what was tried, where, and what to do."""


class Gateway:
    """The HTTP gateway, or API Gateway. A context manager: it keeps its connection open between requests."""

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")
        self._http = httpx.Client(timeout=TIMEOUT_SECONDS, auth=signature_for(self.url))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def send(self, method: str, path: str, body: bytes, content_type: str = JSON) -> httpx.Response:
        """Send a request, and return its answer, an error or not.

        Tried again is only what has certainly not been written: a refused connection, and a 429 or 503 that says by
        Retry-After that it may be tried again.

        Raises:
            GatewayError: there is no gateway, it puts the request off forever, or the connection was lost.
        """
        request = f"{method} {self.url}{path}"
        wait = FIRST_WAIT_SECONDS
        for attempt in range(1, ATTEMPTS + 1):
            try:
                response = self._http.request(
                    method, f"{self.url}{path}", content=body, headers={"Content-Type": content_type}
                )
            except (httpx.ConnectError, httpx.ConnectTimeout) as error:
                problem = f"no connection ({error})"
            except (httpx.HTTPError, httpx.InvalidURL) as error:
                raise GatewayError(
                    f"{request}: {str(error) or type(error).__name__}; these records may or may not have been written."
                    " See `pin-pipeline status`, then emulate again"
                ) from error
            else:
                if response.status_code not in RETRYABLE or "Retry-After" not in response.headers:
                    return response
                problem = _answer(response)
                wait = max(wait, _retry_after(response))
            if attempt < ATTEMPTS:
                wait = min(wait, LONGEST_WAIT_SECONDS)
                log.warning("%s: %s; trying again in %.1f s", request, problem, wait)
                time.sleep(wait)
                wait *= 2
        raise GatewayError(
            f"{request}: {problem}, {ATTEMPTS} times; start the gateway with `pin-pipeline up`"
            " or set PIN_GATEWAY_URL to where it is"
        )


def refusals(
    response: httpx.Response, expected: int, of_records: Callable[[Any], list[str | None]]
) -> list[str | None]:
    """For each record of a request, None where it was acknowledged, else why it was refused.

    Args:
        response: the answer.
        expected: how many records the request had.
        of_records: finds them in a reply.

    Raises:
        GatewayError: the answer is an error, no such reply, or accounts for another number of records.
    """
    request = f"{response.request.method} {response.request.url}"
    if response.is_error:
        raise GatewayError(f"{request}: {_answer(response)}; see `pin-pipeline status`")
    try:
        found = of_records(response.json())
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise GatewayError(
            f"{request}: expected a reply that accounts for records, found {_answer(response)}"
        ) from error
    if len(found) != expected:
        raise GatewayError(f"{request}: {expected} records sent, but the reply accounts for {len(found)}")
    return found


def _answer(response: httpx.Response) -> str:
    return f"{response.status_code} {response.text[:SHOWN_CHARACTERS]}".strip()


def _retry_after(response: httpx.Response) -> float:
    """Seconds; a date, the header's other form, leaves the wait to the backoff."""
    value = response.headers["Retry-After"]
    return float(value) if value.isdecimal() else 0
