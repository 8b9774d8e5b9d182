"""What a streaming job says of itself: one small S3 object a job, which reads the same here and on AWS."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from pydantic import TypeAdapter, ValidationError

from pin_pipeline.settings import Settings

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client

# Who reads and who writes does something else as well, and must not be held up.
TIMEOUTS = Config(connect_timeout=5, read_timeout=5, retries={"max_attempts": 2, "mode": "standard"})
_NOT_THERE = {"NoSuchKey", "404"}


class HeartbeatError(Exception):
    """A heartbeat could not be read or written; says where."""


@dataclass(frozen=True)
class QueryProgress:
    """What a query has done since its process started.

    Attributes:
        reported_at: when it last said anything: that it committed, or that there was nothing to read.
        batch: the number of its last micro-batch, which goes on over restarts; None before the first.
        records: how many records it has read since its process started.
        records_per_second: how fast they came in its last micro-batch; 0 where there was nothing to read.
        lag_seconds: how old the oldest record of its last micro-batch was when that was committed; 0 where there was
            nothing to read, None where the query does not tell.
        committed_at: when the last micro-batch that read records was committed; None where there was none.
    """

    reported_at: datetime
    batch: int | None = None
    records: int = 0
    records_per_second: float = 0.0
    lag_seconds: float | None = None
    committed_at: datetime | None = None


@dataclass(frozen=True)
class Heartbeat:
    """A sign of life of a streaming job. All times are UTC.

    Attributes:
        started_at: when its process started.
        at: when it said so.
        queries: how far each has come, by name; empty while the job is starting.
        failure: why it ends, where it ends by itself.
    """

    job: str
    started_at: datetime
    at: datetime
    queries: Mapping[str, QueryProgress] = field(default_factory=dict)
    failure: str | None = None


JSON = TypeAdapter(Heartbeat)


@dataclass(frozen=True)
class Heartbeats:
    """The last heartbeat of every job, in the bucket of the lake."""

    client: S3Client
    bucket: str

    @classmethod
    def of(cls, settings: Settings) -> Heartbeats:
        """Those of the environment."""
        return cls.at(settings.s3_endpoint_url, settings.region, settings.bucket)

    @classmethod
    def at(cls, endpoint_url: str | None, region: str, bucket: str) -> Heartbeats:
        """Those in a bucket."""
        return cls(boto3.client("s3", endpoint_url=endpoint_url, region_name=region, config=TIMEOUTS), bucket)

    def read(self, job: str) -> Heartbeat | None:
        """The last heartbeat of a job; None where there never was one.

        Raises:
            HeartbeatError: S3 does not answer or refuses, or what is there is no heartbeat.
        """
        try:
            body = self.client.get_object(Bucket=self.bucket, Key=_key(job))["Body"].read()
            return JSON.validate_json(body)
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") in _NOT_THERE:
                return None
            raise self._failed("read", job, error) from error
        except (BotoCoreError, ValidationError) as error:
            raise self._failed("read", job, error) from error

    def write(self, heartbeat: Heartbeat) -> None:
        """Replace the heartbeat of a job.

        Raises:
            HeartbeatError: S3 does not answer or refuses.
        """
        try:
            self.client.put_object(Bucket=self.bucket, Key=_key(heartbeat.job), Body=JSON.dump_json(heartbeat))
        except (BotoCoreError, ClientError) as error:
            raise self._failed("write", heartbeat.job, error) from error

    def _failed(self, action: str, job: str, error: Exception) -> HeartbeatError:
        where = f"s3://{self.bucket}/{_key(job)} at {self.client.meta.endpoint_url}"
        return HeartbeatError(f"could not {action} the heartbeat {where}: {error}; check that S3 is up")


def _key(job: str) -> str:
    return f"streams/heartbeats/{job}.json"
