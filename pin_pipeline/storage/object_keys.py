"""S3 keys of landed objects: `{area}/{topic}/partition={n}/{topic}+{n}+{first offset}.json`.

The layout is that of Confluent's and Aiven's S3 sink connectors, so that each side can read the other's objects.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal, cast, get_args

from pin_pipeline.errors import PipelineError

Area = Literal["topics", "encoded", "quarantine"]
"""First part of a key. `topics` has one JSON text per line. `encoded` has the records that are not a line of JSON, in
Base64; objects written before that area existed are under `quarantine`, in the same format, and are only read."""
AREAS: tuple[Area, ...] = get_args(Area)
ENCODED: Area = "encoded"
LEGACY_ENCODED: Area = "quarantine"

MAX_OFFSET = 9_999_999_999
"""Ten digits sort as text in the order of the numbers. An eleventh would not, and readers would miss objects."""

_KEY = re.compile(
    rf"(?P<area>{'|'.join(AREAS)})/(?P<topic>[^/]+)/partition=(?P<partition>\d+)/"
    r"(?P=topic)\+(?P=partition)\+(?P<offset>\d{10})\.json"
)


class ObjectKeyError(PipelineError):
    """Raised when a key is not that of a landed object, or an offset is too large for one."""


@dataclass(frozen=True, order=True)
class ObjectName:
    """Identity of a landed object.

    Attributes:
        offset: offset of the first record; the others follow without a gap.
    """

    area: Area
    topic: str
    partition: int
    offset: int

    @property
    def folder(self) -> str:
        """Key prefix of all objects of this area and topic partition."""
        return f"{self.area}/{self.topic}/partition={self.partition}/"

    @property
    def key(self) -> str:
        """S3 key.

        Raises:
            ObjectKeyError: the offset has more than ten digits.
        """
        if self.offset > MAX_OFFSET:
            raise ObjectKeyError(
                f"offset {self.offset} of {self.topic}/{self.partition} is beyond {MAX_OFFSET}, the last one that "
                "object names can order: start a new topic (PIN_PREFIX)"
            )
        return f"{self.folder}{self.topic}+{self.partition}+{self.offset:010d}.json"

    @classmethod
    def parse(cls, key: str) -> ObjectName:
        """Parse an S3 key.

        Raises:
            ObjectKeyError: the key is not that of a landed object.
        """
        match = _KEY.fullmatch(key)
        if match is None:
            raise ObjectKeyError(
                f"S3 key {key!r} is not a landed object: expected "
                "{area}/{topic}/partition={n}/{topic}+{n}+{ten-digit offset}.json"
            )
        return cls(cast("Area", match["area"]), match["topic"], int(match["partition"]), int(match["offset"]))
