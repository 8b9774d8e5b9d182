"""Heartbeats of the streaming jobs: one small S3 object per job, read the same way locally and on AWS."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from pydantic import TypeAdapter, ValidationError

from pin_pipeline.aws import clients
from pin_pipeline.errors import PipelineError
from pin_pipeline.settings import Settings

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client

TIMEOUTS = Config(connect_timeout=5, read_timeout=5, retries={"max_attempts": 2, "mode": "standard"})
"""Short, because heartbeats are read and written between other work, which must not be delayed."""
_MISSING = {"NoSuchKey", "404"}


class HeartbeatError(PipelineError):
    """Raised when a heartbeat cannot be read or written."""


@dataclass(frozen=True)
class QueryProgress:
    """Progress of a query since its process started. The fields are those of the JSON object in S3.

    Attributes:
        reported_at: when it last reported that it committed a micro-batch or found no records to read.
        batch: number of its last micro-batch, which continues after restarts; None before the first.
        records: number of records read since the process started.
        records_per_second: throughput of its last micro-batch; 0 if there were no records to read.
        lag_seconds: age of the oldest record of its last micro-batch at the time of the commit; 0 if there were no
            records to read, None if the query does not measure it.
        committed_at: when its last micro-batch with records was committed; None before the first.
    """

    reported_at: datetime
    batch: int | None = None
    records: int = 0
    records_per_second: float = 0.0
    lag_seconds: float | None = None
    committed_at: datetime | None = None


@dataclass(frozen=True)
class Heartbeat:
    """Status that a streaming job reports about itself. All times are UTC.

    Attributes:
        started_at: when its process started.
        at: when the heartbeat was written.
        queries: progress by query name; empty while the job is starting.
        failure: error that ended the process, if any.
        stopped_at: when a process of the job last ended because it was told to; later processes keep it.
    """

    job: str
    started_at: datetime
    at: datetime
    queries: Mapping[str, QueryProgress] = field(default_factory=dict)
    failure: str | None = None
    stopped_at: datetime | None = None


HEARTBEAT_JSON = TypeAdapter(Heartbeat)


@dataclass(frozen=True)
class Heartbeats:
    """Last heartbeat of each job, at `streams/heartbeats/{job}.json` in the bucket of the lake."""

    client: S3Client
    bucket: str

    @classmethod
    def of(cls, settings: Settings) -> Heartbeats:
        """Return the heartbeats in the bucket of the settings."""
        return cls.at(settings.s3_endpoint_url, settings.region, settings.bucket)

    @classmethod
    def at(cls, endpoint_url: str | None, region: str, bucket: str) -> Heartbeats:
        """Return the heartbeats in a bucket."""
        return cls(clients.client("s3", region, endpoint_url, TIMEOUTS), bucket)

    def read(self, job: str) -> Heartbeat | None:
        """Return the last heartbeat of a job; None if the job never wrote one.

        Raises:
            HeartbeatError: S3 does not respond or refuses the request, or the object is not a heartbeat.
        """
        try:
            body = self.client.get_object(Bucket=self.bucket, Key=_key(job))["Body"].read()
            return HEARTBEAT_JSON.validate_json(body)
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") in _MISSING:
                return None
            raise self._error("read", job, error) from error
        except (BotoCoreError, ValidationError) as error:
            raise self._error("read", job, error) from error

    def write(self, heartbeat: Heartbeat) -> None:
        """Replace the heartbeat of a job.

        Raises:
            HeartbeatError: S3 does not respond or refuses the request.
        """
        body = HEARTBEAT_JSON.dump_json(heartbeat)
        try:
            self.client.put_object(Bucket=self.bucket, Key=_key(heartbeat.job), Body=body)
        except (BotoCoreError, ClientError) as error:
            raise self._error("write", heartbeat.job, error) from error

    def _error(self, action: str, job: str, error: Exception) -> HeartbeatError:
        url = f"s3://{self.bucket}/{_key(job)} at {self.client.meta.endpoint_url}"
        return HeartbeatError(
            f"could not {action} the heartbeat {url}: {error}; check that S3 is running and that the bucket exists"
        )


def _key(job: str) -> str:
    return f"streams/heartbeats/{job}.json"
