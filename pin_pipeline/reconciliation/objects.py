"""What is on S3, read from the landed objects."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

import orjson
from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client

AREAS = ("topics", "quarantine")
NAME = re.compile(r"(topics|quarantine)/(.+)/partition=(\d+)/\2\+\3\+(\d{10})\.json")


class LandedRange(NamedTuple):
    """A landed object: its name, and the values of its records from its first offset on."""

    key: str
    offset: int
    values: list[bytes | None]

    @property
    def folder(self) -> str:
        """The part of the name that all objects of its area and partition have."""
        return self.key[: self.key.rindex("/") + 1]


class ObjectReader:
    """The landed objects of one topic."""

    def __init__(self, client: S3Client, bucket: str, topic: str) -> None:
        self._client, self._bucket, self._topic = client, bucket, topic
        self._pages = client.get_paginator("list_objects_v2")

    def partitions(self) -> list[int]:
        """The partitions that have objects."""
        found = set()
        for area in AREAS:
            prefix = f"{area}/{self._topic}/partition="
            for page in self._pages.paginate(Bucket=self._bucket, Prefix=prefix, Delimiter="/"):
                found |= {int(folder["Prefix"][len(prefix) : -1]) for folder in page.get("CommonPrefixes", ())}
        return sorted(found)

    @cached_property
    def with_holes(self) -> bool:
        """Whether a connector landed them: within an object it passes over offsets that hold no record."""
        try:
            self._client.head_object(Bucket=self._bucket, Key=f"landed/{self._topic}.json")
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") == "404":
                return False
            raise
        return True

    def landed(self, partition: int, first: int) -> Iterator[LandedRange]:
        """The objects from the one on that begins at an offset, in the order of their offsets."""
        names = [match for area in AREAS for match in self._names(area, partition, first)]
        for match in sorted(names, key=lambda match: match[4]):
            yield self._read(match)

    def _names(self, area: str, partition: int, first: int) -> Iterator[re.Match[str]]:
        folder = f"{area}/{self._topic}/partition={partition}/"
        after = f"{folder}{self._topic}+{partition}+{first:010d}"
        for page in self._pages.paginate(Bucket=self._bucket, Prefix=folder, StartAfter=after):
            for entry in page.get("Contents", ()):
                match = NAME.fullmatch(entry["Key"])
                if match is None:
                    raise ValueError(f"{entry['Key']} is no name of a landed object")
                yield match

    def _read(self, match: re.Match[str]) -> LandedRange:
        body = self._client.get_object(Bucket=self._bucket, Key=match[0])["Body"].read()
        lines = body.removesuffix(b"\n").split(b"\n")
        return LandedRange(
            match[0], int(match[4]), lines if match[1] == "topics" else [_unwrapped(line) for line in lines]
        )


def _unwrapped(line: bytes) -> bytes | None:
    text = orjson.loads(line)["base64"]
    return None if text is None else base64.b64decode(text)
