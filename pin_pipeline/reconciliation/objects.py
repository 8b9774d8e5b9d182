"""Landed objects of a topic, read from S3 independently of the code that lands and cleans them."""

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

AREAS = ("topics", "encoded", "quarantine")
"""Areas of JSON lines, of other records in Base64, and of the latter as earlier releases wrote them."""
KEY = re.compile(r"(topics|encoded|quarantine)/(.+)/partition=(\d+)/\2\+\3\+(\d{10})\.json")


class LandedRange(NamedTuple):
    """A landed object: its key, its first offset, and the values of its records."""

    key: str
    offset: int
    values: list[bytes | None]

    @property
    def folder(self) -> str:
        """Key prefix of all objects of its area and partition."""
        return self.key[: self.key.rindex("/") + 1]


class ObjectReader:
    """Reads the landed objects of one topic."""

    def __init__(self, client: S3Client, bucket: str, topic: str) -> None:
        self._client, self._bucket, self._topic = client, bucket, topic
        self._pages = client.get_paginator("list_objects_v2")

    def partitions(self) -> list[int]:
        """Return the partitions that have objects."""
        found = set()
        for area in AREAS:
            prefix = f"{area}/{self._topic}/partition="
            for page in self._pages.paginate(Bucket=self._bucket, Prefix=prefix, Delimiter="/"):
                folders = [folder["Prefix"][len(prefix) : -1] for folder in page.get("CommonPrefixes", ())]
                found |= {int(folder) for folder in folders if folder.isdecimal()}
        return sorted(found)

    @cached_property
    def with_holes(self) -> bool:
        """Whether a connector landed the topic: it does not end an object at an offset without a record."""
        try:
            self._client.head_object(Bucket=self._bucket, Key=f"landed/{self._topic}.json")
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") == "404":
                return False
            raise
        return True

    def landed(self, partition: int, first: int) -> Iterator[LandedRange]:
        """Yield the objects of a partition in the order of their offsets, from the one that begins at `first` on."""
        matches = [match for area in AREAS for match in self._matches(area, partition, first)]
        for match in sorted(matches, key=lambda match: match[4]):
            yield self._read(match)

    def _matches(self, area: str, partition: int, first: int) -> Iterator[re.Match[str]]:
        folder = f"{area}/{self._topic}/partition={partition}/"
        after = f"{folder}{self._topic}+{partition}+{first:010d}"
        for page in self._pages.paginate(Bucket=self._bucket, Prefix=folder, StartAfter=after):
            for entry in page.get("Contents", ()):
                match = KEY.fullmatch(entry["Key"])
                if match is not None:  # objects of others are reported by landing
                    yield match

    def _read(self, match: re.Match[str]) -> LandedRange:
        body = self._client.get_object(Bucket=self._bucket, Key=match[0])["Body"].read()
        lines = body.removesuffix(b"\n").split(b"\n")
        values = lines if match[1] == "topics" else [_decode(line) for line in lines]
        return LandedRange(match[0], int(match[4]), values)


def _decode(line: bytes) -> bytes | None:
    text = orjson.loads(line)["base64"]
    return None if text is None else base64.b64decode(text)
