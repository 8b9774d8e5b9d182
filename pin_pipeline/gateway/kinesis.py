"""Kinesis client of the gateway: calls that do not block the event loop, and their errors."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, ParamValidationError

from pin_pipeline.aws import clients
from pin_pipeline.gateway.errors import (
    KinesisApiError,
    kinesis_throttled,
    kinesis_unavailable,
    kinesis_validation_error,
)

MAX_CONCURRENT_CALLS = 16
CLIENT = Config(
    connect_timeout=2,
    read_timeout=5,
    max_pool_connections=MAX_CONCURRENT_CALLS,
    # The client itself retries throttled and undelivered calls.
    retries={"mode": "standard", "total_max_attempts": 3},
)
RETRY_PAUSES_SECONDS = (0.1, 0.2, 0.4, 0.8)
"""Pauses before the attempts to put again the records of a request that Kinesis refused individually."""
THROTTLED = {"ProvisionedThroughputExceededException", "ThrottlingException", "LimitExceededException"}

KinesisResponse = dict[str, Any]
log = logging.getLogger(__name__)


class KinesisProxy:
    """Client of the Kinesis service. Every method raises KinesisApiError if it refuses a call or does not respond."""

    def __init__(self, endpoint_url: str | None, region: str) -> None:
        self._client = clients.client("kinesis", region, endpoint_url, CLIENT)
        self._threads = ThreadPoolExecutor(MAX_CONCURRENT_CALLS, "kinesis")

    async def call(self, action: str, **parameters: object) -> KinesisResponse:
        """Call an action by its name in boto3, and return the response without its metadata."""
        call = partial(getattr(self._client, action), **parameters)
        try:
            response: KinesisResponse = await asyncio.get_running_loop().run_in_executor(self._threads, call)
        except ClientError as error:
            raise _api_error(error) from error
        except ParamValidationError as error:
            raise kinesis_validation_error(" ".join(str(error).split())) from error
        except BotoCoreError as error:
            raise kinesis_unavailable(self._client.meta.endpoint_url, action, error) from error
        del response["ResponseMetadata"]
        return response

    async def put_records(self, stream: str, records: Sequence[Mapping[str, object]]) -> KinesisResponse:
        """Put records, and put again only those that Kinesis refuses individually, as a throttled shard does.

        Returns:
            The response of PutRecords: the final result of each record, in order, and the number of refused records.
        """
        results = await self._put_once(stream, records)
        for pause in RETRY_PAUSES_SECONDS:
            refused = _refused(results)
            if not refused:
                break
            log.warning("stream %s refused %d of %d records; retrying them", stream, len(refused), len(records))
            await asyncio.sleep(pause)
            try:
                retried = await self._put_once(stream, [records[position] for position in refused])
            except KinesisApiError as error:
                log.warning("retry of refused records failed on stream %s: %s", stream, error)
                break  # the previous refusals stand
            for position, result in zip(refused, retried, strict=True):
                results[position] = result
        return {"FailedRecordCount": len(_refused(results)), "Records": results}

    def close(self) -> None:
        """Close the connections."""
        self._threads.shutdown(wait=False)
        self._client.close()

    async def _put_once(self, stream: str, records: Iterable[Mapping[str, object]]) -> list[KinesisResponse]:
        response = await self.call("put_records", StreamName=stream, Records=list(records))
        return list(response["Records"])


def _refused(results: Sequence[Mapping[str, object]]) -> list[int]:
    """Return the positions of refused records."""
    return [position for position, result in enumerate(results) if result.get("ErrorCode")]


def _api_error(error: ClientError) -> KinesisApiError:
    code, message = error.response["Error"]["Code"], error.response["Error"]["Message"]
    if code in THROTTLED:
        return kinesis_throttled(code, message)
    return KinesisApiError(error.response["ResponseMetadata"]["HTTPStatusCode"], code, message)
