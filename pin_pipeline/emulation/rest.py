"""Post records to topics through Kafka REST v2, and account for every one of them."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from typing import Self

import httpx
import orjson

CONTENT_TYPE = "application/vnd.kafka.json.v2+json"
TIMEOUT_SECONDS = 60
ATTEMPTS = 6
FIRST_WAIT_SECONDS = 0.25
LONGEST_WAIT_SECONDS = 10.0
RETRYABLE = (429, 503)
SHOWN_CHARACTERS = 300

log = logging.getLogger(__name__)


class GatewayError(Exception):
    """A request to the gateway failed for good; says what was tried, where, and what to do."""


class TopicClient:
    """The gateway's topics. A context manager: it keeps its connection open between requests."""

    def __init__(self, gateway_url: str) -> None:
        self.gateway_url = gateway_url.rstrip("/")
        self._http = httpx.Client(timeout=TIMEOUT_SECONDS)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def post(self, topic: str, values: Sequence[Mapping[str, object]]) -> list[str | None]:
        """Post values as one request, datetimes as `YYYY-MM-DD HH:MM:SS`.

        Tried again is only what has certainly not been written: a refused connection, and a 429 or 503 that says by
        Retry-After that it may be tried again.

        Returns:
            For each value, None where it was acknowledged, else why it was refused.

        Raises:
            GatewayError: there is no gateway, it answered with an error, or its answer accounts for fewer records.
        """
        body = orjson.dumps(
            {"records": [{"value": value} for value in values]}, option=orjson.OPT_PASSTHROUGH_DATETIME, default=str
        )
        url = f"{self.gateway_url}/topics/{topic}"
        response = self._send(url, body)
        if response.is_error:
            raise GatewayError(f"POST {url}: {_answer(response)}; see `pin-pipeline status`")
        try:
            refusals = [_refusal(offset) for offset in response.json()["offsets"]]
        except (ValueError, LookupError, TypeError, AttributeError) as error:
            raise GatewayError(f"POST {url}: expected a Kafka REST v2 reply, found {_answer(response)}") from error
        if len(refusals) != len(values):
            raise GatewayError(f"POST {url}: {len(values)} records sent, but the reply accounts for {len(refusals)}")
        return refusals

    def _send(self, url: str, body: bytes) -> httpx.Response:
        wait = FIRST_WAIT_SECONDS
        for attempt in range(1, ATTEMPTS + 1):
            try:
                response = self._http.post(url, content=body, headers={"Content-Type": CONTENT_TYPE})
            except (httpx.ConnectError, httpx.ConnectTimeout) as error:
                problem = f"no connection ({error})"
            except (httpx.HTTPError, httpx.InvalidURL) as error:
                raise GatewayError(
                    f"POST {url}: {str(error) or type(error).__name__}; these records may or may not have been written."
                    " See `pin-pipeline status`, then emulate again"
                ) from error
            else:
                if response.status_code not in RETRYABLE or "Retry-After" not in response.headers:
                    return response
                problem = _answer(response)
                wait = max(wait, _retry_after(response))
            if attempt < ATTEMPTS:
                wait = min(wait, LONGEST_WAIT_SECONDS)
                log.warning("POST %s: %s; trying again in %.1f s", url, problem, wait)
                time.sleep(wait)
                wait *= 2
        raise GatewayError(
            f"POST {url}: {problem}, {ATTEMPTS} times; start the gateway with `pin-pipeline up`"
            " or set PIN_GATEWAY_URL to where it is"
        )


def _refusal(offset: Mapping[str, object]) -> str | None:
    if offset["error_code"] is None and offset["offset"] is not None:
        return None
    return f"{offset.get('error')} (error code {offset['error_code']})"


def _answer(response: httpx.Response) -> str:
    return f"{response.status_code} {response.text[:SHOWN_CHARACTERS]}".strip()


def _retry_after(response: httpx.Response) -> float:
    """Seconds; a date, the header's other form, leaves the wait to the backoff."""
    value = response.headers["Retry-After"]
    return float(value) if value.isdecimal() else 0
