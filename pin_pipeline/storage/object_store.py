"""Object store: the S3 bucket of landed objects, which are written once and listed by offset."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError
from pydantic import TypeAdapter

from pin_pipeline.aws import clients
from pin_pipeline.aws.errors import advice
from pin_pipeline.errors import PipelineError
from pin_pipeline.settings import Settings
from pin_pipeline.storage.object_keys import AREAS, Area, ObjectKeyError, ObjectName

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client
    from mypy_boto3_s3.type_defs import ObjectIdentifierTypeDef

_PARTITION = re.compile(r"/partition=\d+/$")
_EXISTS = {"PreconditionFailed", "412"}
_BEING_WRITTEN = {"ConditionalRequestConflict", "409"}


class StoreError(PipelineError):
    """Raised when S3 refuses a request or does not respond."""


@dataclass(frozen=True)
class VerifiedOffset:
    """Verified part of a partition: the key of the last verified object, and the offset after its last record."""

    key: str
    next_offset: int


VERIFIED_OFFSETS = TypeAdapter(dict[int, VerifiedOffset])


@dataclass(frozen=True)
class ObjectStore:
    """A bucket of landed objects.

    Attributes:
        foreign: keys of objects that were met in the folder of a topic, but are not landed objects. They are skipped.
    """

    client: S3Client
    bucket: str
    foreign: set[str] = field(default_factory=set, compare=False, repr=False)

    @classmethod
    def of(cls, settings: Settings) -> ObjectStore:
        """Return the store that the settings describe."""
        client = clients.client("s3", settings.region, settings.s3_endpoint_url)
        return cls(client, settings.bucket)

    @property
    def url(self) -> str:
        """URL of the bucket, which precedes the keys of its objects."""
        return f"{self.client.meta.endpoint_url}/{self.bucket}/"

    def put_once(self, name: ObjectName, body: bytes) -> bool:
        """Write an object unless it exists; return whether it was written."""
        while True:
            try:
                self.client.put_object(Bucket=self.bucket, Key=name.key, Body=body, IfNoneMatch="*")
            except ClientError as error:
                code = error.response.get("Error", {}).get("Code", "")
                if code in _EXISTS:
                    return False
                if code not in _BEING_WRITTEN:  # another upload of the key is in progress: S3 asks to retry
                    raise self._failed("write", name.key, error) from error
            except BotoCoreError as error:
                raise self._failed("write", name.key, error) from error
            else:
                return True

    def exists(self, name: ObjectName) -> bool:
        """Return whether an object exists."""
        try:
            self.client.head_object(Bucket=self.bucket, Key=name.key)
        except ClientError as error:
            if error.response.get("ResponseMetadata", {}).get("HTTPStatusCode") == HTTPStatus.NOT_FOUND:
                return False
            raise self._failed("find", name.key, error) from error
        except BotoCoreError as error:
            raise self._failed("find", name.key, error) from error
        return True

    def read(self, name: ObjectName) -> bytes:
        """Return the content of an object."""
        try:
            body: bytes = self.client.get_object(Bucket=self.bucket, Key=name.key)["Body"].read()
        except (BotoCoreError, ClientError) as error:
            raise self._failed("read", name.key, error) from error
        return body

    def list_from(self, first: ObjectName, *, inclusive: bool = True) -> Iterator[ObjectName]:
        """Yield the objects of an area and topic partition; see `list_sizes`."""
        for name, _ in self.list_sizes(first, inclusive=inclusive):
            yield name

    def list_sizes(self, first: ObjectName, *, inclusive: bool = True) -> Iterator[tuple[ObjectName, int]]:
        """Yield the objects of an area and topic partition with their sizes in bytes, in order of their offsets.

        The listing starts there: its cost does not grow with the number of earlier objects.

        Args:
            first: name to begin with, whether or not such an object exists.
            inclusive: whether to include `first` itself.
        """
        after = first.key.removesuffix(".json") if inclusive else first.key
        pages = self.client.get_paginator("list_objects_v2").paginate(
            Bucket=self.bucket, Prefix=first.folder, StartAfter=after
        )
        try:
            for page in pages:
                for entry in page.get("Contents", []):
                    try:
                        name = ObjectName.parse(entry["Key"])
                    except ObjectKeyError:
                        self.foreign.add(entry["Key"])
                    else:
                        yield name, entry["Size"]
        except (BotoCoreError, ClientError) as error:
            raise self._failed("list", first.folder, error) from error

    def partitions(self, area: Area, topic: str) -> list[int]:
        """Return the partitions of a topic that have objects in an area."""
        prefix = f"{area}/{topic}/partition="
        folders = [key.removeprefix(prefix).removesuffix("/") for key in self._first_parts(prefix, "/")]
        return sorted(int(folder) for folder in folders if folder.isdecimal())

    def find_foreign(self, topic: str) -> list[str]:
        """Return the keys in the folder of a topic that are not those of landed objects.

        The cost does not grow with the number of landed objects. A foreign object whose name begins like that of a
        landed one is found only if a listing has met it.
        """
        for area in AREAS:
            for folder in self._first_parts(f"{area}/{topic}/", "/"):
                if _PARTITION.search(folder):
                    self.foreign.update(set(self._first_parts(folder, "+")) - {f"{folder}{topic}+"})
                else:
                    self.foreign.add(folder)
        return sorted(key for key in self.foreign if key.split("/")[1] == topic)

    def _first_parts(self, prefix: str, delimiter: str) -> list[str]:
        """Return the distinct first parts, up to a delimiter, of the keys that begin with `prefix`."""
        pages = self.client.get_paginator("list_objects_v2").paginate(
            Bucket=self.bucket, Prefix=prefix, Delimiter=delimiter
        )
        found: list[str] = []
        try:
            for page in pages:
                found += [part["Prefix"] for part in page.get("CommonPrefixes", [])]
                found += [entry["Key"] for entry in page.get("Contents", [])]
        except (BotoCoreError, ClientError) as error:
            raise self._failed("list", prefix, error) from error
        return found

    def verified_offsets(self, topic: str) -> dict[int, VerifiedOffset] | None:
        """Return the verified offset of each partition of a topic, or None if all objects are final.

        In-process landing writes each object once. A connector may overwrite an object until it has committed it, so
        its objects are final only when they are verified.
        """
        key = _verified_offsets_key(topic)
        try:
            body = self.client.get_object(Bucket=self.bucket, Key=key)["Body"].read()
        except self.client.exceptions.NoSuchKey:
            return None
        except (BotoCoreError, ClientError) as error:
            raise self._failed("read", key, error) from error
        return VERIFIED_OFFSETS.validate_json(body)

    def set_verified_offsets(self, topic: str, offsets: Mapping[int, VerifiedOffset]) -> None:
        """Store the verified offset of each partition of a topic."""
        key = _verified_offsets_key(topic)
        try:
            self.client.put_object(Bucket=self.bucket, Key=key, Body=VERIFIED_OFFSETS.dump_json(dict(offsets)))
        except (BotoCoreError, ClientError) as error:
            raise self._failed("write", key, error) from error

    def delete_prefix(self, prefix: str) -> None:
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


def _verified_offsets_key(topic: str) -> str:
    return f"landed/{topic}.json"
