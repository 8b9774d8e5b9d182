"""The names of landed objects: `{area}/{topic}/partition={n}/{topic}+{n}+{first offset}.json`.

The layout is the one of Confluent's and Aiven's S3 sink connectors, so a reader of theirs reads ours and the reverse.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal, get_args

Area = Literal["topics", "quarantine"]
AREAS: tuple[Area, ...] = get_args(Area)

# Ten digits sort as text in the order of the numbers; an eleventh would not, and readers would miss objects.
MAX_OFFSET = 9_999_999_999

_NAME = re.compile(
    r"(?P<area>topics|quarantine)/(?P<topic>[^/]+)/partition=(?P<partition>\d+)/"
    r"(?P=topic)\+(?P=partition)\+(?P<offset>\d{10})\.json"
)


@dataclass(frozen=True, order=True)
class ObjectName:
    """Where an object's records come from: `offset` is the first one's, the others follow without a gap."""

    area: Area
    topic: str
    partition: int
    offset: int

    @property
    def folder(self) -> str:
        """The key prefix of all objects of this area and topic partition."""
        return f"{self.area}/{self.topic}/partition={self.partition}/"

    @property
    def key(self) -> str:
        """The S3 key.

        Raises:
            ValueError: the offset has more than ten digits.
        """
        if self.offset > MAX_OFFSET:
            raise ValueError(
                f"offset {self.offset} of {self.topic}/{self.partition} is beyond {MAX_OFFSET}, the last one that "
                "object names can order; start a new topic (PIN_PREFIX)"
            )
        return f"{self.folder}{self.topic}+{self.partition}+{self.offset:010d}.json"

    @classmethod
    def parse(cls, key: str) -> ObjectName:
        """The name that `key` spells. Raises ValueError where it spells none."""
        match = _NAME.fullmatch(key)
        if match is None:
            raise ValueError(f"S3 key {key!r} is no landed object; expected {{area}}/{{topic}}/partition={{n}}/...")
        area: Area = "topics" if match["area"] == "topics" else "quarantine"
        return cls(area, match["topic"], int(match["partition"]), int(match["offset"]))
