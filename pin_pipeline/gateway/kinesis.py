"""The gateway's side of Kinesis: calls that do not block the event loop, and their errors."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, ParamValidationError

from pin_pipeline.gateway.errors import KinesisRouteError, stream_invalid, stream_throttled, streams_unavailable

CALLS_AT_ONCE = 16
CLIENT = Config(
    connect_timeout=2,
    read_timeout=5,
    max_pool_connections=CALLS_AT_ONCE,
    # The client itself tries again what was throttled or did not arrive.
    retries={"mode": "standard", "total_max_attempts": 3},
)
# Between the attempts to put the records of a request that were refused alone.
PAUSES_SECONDS = (0.1, 0.2, 0.4, 0.8)
THROTTLED = {"ProvisionedThroughputExceededException", "ThrottlingException", "LimitExceededException"}

Answer = dict[str, Any]
log = logging.getLogger(__name__)


class KinesisProxy:
    """The Kinesis service behind the gateway. Every method raises StreamError where it refuses or does not answer."""

    def __init__(self, endpoint_url: str | None, region: str) -> None:
        self._client = boto3.client("kinesis", endpoint_url=endpoint_url, region_name=region, config=CLIENT)
        self._calls = ThreadPoolExecutor(CALLS_AT_ONCE, "kinesis")

    async def call(self, action: str, **parameters: object) -> Answer:
        """What the service answers to an action, by the name that the client has for it."""
        call = partial(getattr(self._client, action), **parameters)
        try:
            answer: Answer = await asyncio.get_running_loop().run_in_executor(self._calls, call)
        except ClientError as error:
            raise _refusal(error) from error
        except ParamValidationError as error:
            raise stream_invalid(" ".join(str(error).split())) from error
        except BotoCoreError as error:
            raise streams_unavailable(self._client.meta.endpoint_url, action, error) from error
        del answer["ResponseMetadata"]
        return answer

    async def put_records(self, stream: str, records: Sequence[Mapping[str, object]]) -> Answer:
        """Put records; those that are refused alone, as a throttled shard does, are put again, and no others.

        Returns:
            The service's answer: what became of each record, in order, and how many failed for good.
        """
        outcomes = await self._outcomes(stream, records)
        for pause in PAUSES_SECONDS:
            failed = _failed(outcomes)
            if not failed:
                break
            log.warning("%s: %d of %d records refused, putting them again", stream, len(failed), len(records))
            await asyncio.sleep(pause)
            try:
                again = await self._outcomes(stream, [records[position] for position in failed])
            except KinesisRouteError as error:
                log.warning("%s: %s", stream, error)
                break  # what the records were refused for the last time still holds
            for position, outcome in zip(failed, again, strict=True):
                outcomes[position] = outcome
        return {"FailedRecordCount": len(_failed(outcomes)), "Records": outcomes}

    def close(self) -> None:
        """Let go of the connections."""
        self._calls.shutdown(wait=False)
        self._client.close()

    async def _outcomes(self, stream: str, records: Iterable[Mapping[str, object]]) -> list[Answer]:
        answer = await self.call("put_records", StreamName=stream, Records=list(records))
        return list(answer["Records"])


def _failed(outcomes: Sequence[Mapping[str, object]]) -> list[int]:
    return [position for position, outcome in enumerate(outcomes) if outcome.get("ErrorCode")]


def _refusal(error: ClientError) -> KinesisRouteError:
    code, message = error.response["Error"]["Code"], error.response["Error"]["Message"]
    if code in THROTTLED:
        return stream_throttled(code, message)
    return KinesisRouteError(error.response["ResponseMetadata"]["HTTPStatusCode"], code, message)
