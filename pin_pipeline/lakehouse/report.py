"""What a Spark job says of each table it has looked after. Plain data, so that it travels from a cluster too."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

Metadata = Mapping[str, int | float | str]


@dataclass(frozen=True)
class Check:
    """The outcome of one rule on one table."""

    name: str
    passed: bool
    metadata: Metadata = field(default_factory=dict)


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
