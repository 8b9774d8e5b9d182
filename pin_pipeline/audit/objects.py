"""What is on S3, read from the landed objects."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

import orjson

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client

AREAS = ("topics", "quarantine")
NAME = re.compile(r"(topics|quarantine)/(.+)/partition=(\d+)/\2\+\3\+(\d{10})\.json")


class Landed(NamedTuple):
    """A landed record, and the object it lies in."""

    offset: int
    value: bytes | None
    folder: str
    key: str


class Objects:
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

    def records(self, partition: int, first: int) -> Iterator[Landed]:
        """The records at and after an offset that begins an object, in the order of their offsets."""
        names = [match for area in AREAS for match in self._names(area, partition, first)]
        for match in sorted(names, key=lambda match: match[4]):
            yield from self._records(match)

    def _names(self, area: str, partition: int, first: int) -> Iterator[re.Match[str]]:
        folder = f"{area}/{self._topic}/partition={partition}/"
        after = f"{folder}{self._topic}+{partition}+{first:010d}"
        for page in self._pages.paginate(Bucket=self._bucket, Prefix=folder, StartAfter=after):
            for entry in page.get("Contents", ()):
                match = NAME.fullmatch(entry["Key"])
                if match is None:
                    raise ValueError(f"{entry['Key']} is no name of a landed object")
                yield match

    def _records(self, match: re.Match[str]) -> Iterator[Landed]:
        key, begin = match[0], int(match[4])
        folder = key[: key.rindex("/") + 1]
        body = self._client.get_object(Bucket=self._bucket, Key=key)["Body"].read()
        for number, line in enumerate(body.removesuffix(b"\n").split(b"\n")):
            value = line if match[1] == "topics" else _unwrapped(line)
            yield Landed(begin + number, value, folder, key)


def _unwrapped(line: bytes) -> bytes | None:
    text = orjson.loads(line)["base64"]
    return None if text is None else base64.b64decode(text)
