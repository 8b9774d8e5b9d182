"""The bucket as landing and cleaning use it: objects are written once and listed from a name on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING

import boto3
from botocore.exceptions import BotoCoreError, ClientError
from pydantic import TypeAdapter

from pin_pipeline.aws.errors import advice
from pin_pipeline.settings import Settings
from pin_pipeline.storage.object_keys import Area, ObjectName

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client
    from mypy_boto3_s3.type_defs import ObjectIdentifierTypeDef

_ALREADY_THERE = {"PreconditionFailed", "412"}
_BEING_WRITTEN = {"ConditionalRequestConflict", "409"}


class StoreError(Exception):
    """S3 did not do what it was asked; says what was tried and where."""


@dataclass(frozen=True)
class Proven:
    """How far the objects of a partition are proven: the last one, and the offset behind its last record."""

    key: str
    next_offset: int


PROVEN = TypeAdapter(dict[int, Proven])


@dataclass(frozen=True)
class ObjectStore:
    """One bucket of landed objects."""

    client: S3Client
    bucket: str

    @classmethod
    def of(cls, settings: Settings) -> ObjectStore:
        """The bucket of the environment."""
        client = boto3.client("s3", endpoint_url=settings.s3_endpoint_url, region_name=settings.region)
        return cls(client, settings.bucket)

    def put_once(self, name: ObjectName, body: bytes) -> bool:
        """Write an object unless there is one of that name; says whether it was written."""
        while True:
            try:
                self.client.put_object(Bucket=self.bucket, Key=name.key, Body=body, IfNoneMatch="*")
            except ClientError as error:
                code = error.response.get("Error", {}).get("Code", "")
                if code in _ALREADY_THERE:
                    return False
                if code not in _BEING_WRITTEN:  # S3 asks to try again while another upload of the key is under way
                    raise self._failed("write", name.key, error) from error
            except BotoCoreError as error:
                raise self._failed("write", name.key, error) from error
            else:
                return True

    def has(self, name: ObjectName) -> bool:
        """Whether there is an object of that name."""
        try:
            self.client.head_object(Bucket=self.bucket, Key=name.key)
        except ClientError as error:
            if error.response.get("ResponseMetadata", {}).get("HTTPStatusCode") == HTTPStatus.NOT_FOUND:
                return False
            raise self._failed("look for", name.key, error) from error
        except BotoCoreError as error:
            raise self._failed("look for", name.key, error) from error
        return True

    def read(self, name: ObjectName) -> bytes:
        """The bytes of an object."""
        try:
            body: bytes = self.client.get_object(Bucket=self.bucket, Key=name.key)["Body"].read()
        except (BotoCoreError, ClientError) as error:
            raise self._failed("read", name.key, error) from error
        return body

    def names_from(self, first: ObjectName, *, inclusive: bool = True) -> Iterator[ObjectName]:
        """The objects of a topic partition and area in the order of their offsets, from `first` on.

        Lists only what comes at or after `first`: the cost does not grow with what is before it.
        """
        after = first.key.removesuffix(".json") if inclusive else first.key
        pages = self.client.get_paginator("list_objects_v2").paginate(
            Bucket=self.bucket, Prefix=first.folder, StartAfter=after
        )
        try:
            for page in pages:
                for entry in page.get("Contents", []):
                    yield ObjectName.parse(entry["Key"])
        except (BotoCoreError, ClientError) as error:
            raise self._failed("list", first.folder, error) from error

    def partitions(self, area: Area, topic: str) -> list[int]:
        """The partitions of a topic that have objects in an area."""
        prefix = f"{area}/{topic}/partition="
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=prefix, Delimiter="/")
        try:
            folders = [folder["Prefix"] for page in pages for folder in page.get("CommonPrefixes", [])]
        except (BotoCoreError, ClientError) as error:
            raise self._failed("list", prefix, error) from error
        return sorted(int(folder.removeprefix(prefix).removesuffix("/")) for folder in folders)

    def proven(self, topic: str) -> dict[int, Proven] | None:
        """How far a topic's objects are proven, by partition; None where those are final that are there.

        Our own landing writes each object once. A connector may write one anew until it has committed it.
        """
        key = _proven_key(topic)
        try:
            body = self.client.get_object(Bucket=self.bucket, Key=key)["Body"].read()
        except self.client.exceptions.NoSuchKey:
            return None
        except (BotoCoreError, ClientError) as error:
            raise self._failed("read", key, error) from error
        return PROVEN.validate_json(body)

    def set_proven(self, topic: str, proven: Mapping[int, Proven]) -> None:
        """Remember how far a topic's objects are proven."""
        key = _proven_key(topic)
        try:
            self.client.put_object(Bucket=self.bucket, Key=key, Body=PROVEN.dump_json(dict(proven)))
        except (BotoCoreError, ClientError) as error:
            raise self._failed("write", key, error) from error

    def remove(self, prefix: str) -> None:
        """Delete all objects whose keys begin with `prefix`."""
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=prefix)
        try:
            for page in pages:
                keys: list[ObjectIdentifierTypeDef] = [{"Key": entry["Key"]} for entry in page.get("Contents", [])]
                if keys:
                    self.client.delete_objects(Bucket=self.bucket, Delete={"Objects": keys, "Quiet": True})
        except (BotoCoreError, ClientError) as error:
            raise self._failed("delete", prefix, error) from error

    def _failed(self, action: str, key: str, error: Exception) -> StoreError:
        endpoint = self.client.meta.endpoint_url
        return StoreError(f"could not {action} s3://{self.bucket}/{key} at {endpoint}: {error}; {advice(error)}")


def _proven_key(topic: str) -> str:
    return f"landed/{topic}.json"
