"""What a Spark job says of each table it has looked after. Plain data, so that it travels from a cluster too."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

Metadata = Mapping[str, int | float | str]


class Severity(StrEnum):
    """What it means when a check fails."""

    WARN = "warn"
    ERROR = "error"


@dataclass(frozen=True)
class Check:
    """The outcome of one rule on one table."""

    name: str
    passed: bool
    metadata: Metadata = field(default_factory=dict)
    severity: Severity = Severity.ERROR


@dataclass(frozen=True)
class Report:
    """One table, after the job has been at it.

    Attributes:
        key: the asset's key, `cleaned/pin`.
        rows: rows in the table.
        metadata: numbers of this run; a string is Markdown.
        checks: outcomes of the checks made in the same scan.
    """

    key: str
    rows: int
    metadata: Metadata = field(default_factory=dict)
    checks: tuple[Check, ...] = ()
