"""Client of the gateway: retries requests that are safe to retry, and reports the outcome of every record."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from typing import Any, Self

import httpx

from pin_pipeline.emulator.signing import signature_for
from pin_pipeline.errors import PipelineError
from pin_pipeline.settings import Settings

JSON = "application/json"
TIMEOUT_SECONDS = 60
ATTEMPTS = 6
FIRST_WAIT_SECONDS = 0.25
MAX_WAIT_SECONDS = 10.0
RETRYABLE = (429, 503)
"""Status codes that mean "not written, try later" if the response has the header Retry-After."""
MAX_BODY_CHARACTERS = 300
"""Longer response bodies are truncated in error messages."""

log = logging.getLogger(__name__)


class GatewayError(PipelineError):
    """Raised when a request to the gateway fails and is not retried."""


class Gateway:
    """Connection to the gateway, directly or through API Gateway; a context manager that closes it."""

    def __init__(self, url: str, api_keys: Sequence[str] = ()) -> None:
        self.url = url.rstrip("/")
        headers = {"x-api-key": next(iter(api_keys))} if api_keys else {}
        self._http = httpx.Client(timeout=TIMEOUT_SECONDS, headers=headers, auth=signature_for(self.url))

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Connect to the gateway that the settings name.

        Raises:
            SettingError: PIN_GATEWAY_URL is not set.
        """
        return cls(settings.required("gateway_url"), settings.gateway_api_keys)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def send(self, method: str, path: str, body: bytes, content_type: str = JSON) -> httpx.Response:
        """Send a request and return the response, whatever its status.

        A request is retried only if its records have certainly not been written: when the connection is refused, and
        on 429 or 503 with Retry-After. The wait doubles with each attempt, and is at least Retry-After.

        Raises:
            GatewayError: the gateway cannot be reached, it defers every attempt, or the connection was lost.
        """
        request = f"{method} {self.url}{path}"
        wait = FIRST_WAIT_SECONDS
        for attempt in range(1, ATTEMPTS + 1):
            try:
                response = self._http.request(
                    method, f"{self.url}{path}", content=body, headers={"Content-Type": content_type}
                )
            except (httpx.ConnectError, httpx.ConnectTimeout) as error:
                failure = f"connection failed: {error}"
            except (httpx.HTTPError, httpx.InvalidURL) as error:
                raise GatewayError(
                    f"{request} failed: {str(error) or type(error).__name__}; its records may or may not have been"
                    " written; check `pin-pipeline status`, then run the emulator again"
                ) from error
            else:
                if response.status_code not in RETRYABLE or "Retry-After" not in response.headers:
                    return response
                failure = _summary(response)
                wait = max(wait, _retry_after(response))
            if attempt < ATTEMPTS:
                wait = min(wait, MAX_WAIT_SECONDS)
                log.warning("%s: %s; retrying in %.1f s", request, failure, wait)
                time.sleep(wait)
                wait *= 2
        raise GatewayError(
            f"{request} failed {ATTEMPTS} times: {failure}; start the gateway with `pin-pipeline up`, or set"
            " PIN_GATEWAY_URL to its URL"
        )


def refusals(response: httpx.Response, expected: int, parse: Callable[[Any], list[str | None]]) -> list[str | None]:
    """Return for each record of a request None if it was acknowledged, otherwise the reason for its refusal.

    Args:
        response: response to the request.
        expected: number of records in the request.
        parse: extracts the result from the JSON of the response.

    Raises:
        GatewayError: the response is an error, cannot be parsed, or has the wrong number of records.
    """
    request = f"{response.request.method} {response.request.url}"
    if response.is_error:
        raise GatewayError(f"{request} failed: {_summary(response)}; check `pin-pipeline status`")
    try:
        results = parse(response.json())
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise GatewayError(
            f"invalid response to {request}: expected a result for each record, got {_summary(response)}"
        ) from error
    if len(results) != expected:
        raise GatewayError(f"invalid response to {request}: expected {expected} results, got {len(results)}")
    return results


def _summary(response: httpx.Response) -> str:
    return f"{response.status_code} {response.text[:MAX_BODY_CHARACTERS]}".strip()


def _retry_after(response: httpx.Response) -> float:
    """Return the seconds of Retry-After; 0 for the other form of the header, a date, so that the backoff applies."""
    value = response.headers["Retry-After"]
    return float(value) if value.isdecimal() else 0
