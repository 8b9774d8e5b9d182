"""Comparison of tables that different engines have written: everything except first_seen, durations and file layout."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from pin_pipeline.reports import Report
from pin_pipeline.storage.delta_commits import APPLICATION
from pin_pipeline.storage.lake import Lake
from pin_pipeline.storage.progress import CleaningProgress

ROW_ORDER = {"cleaned": "ind", "quarantine": "source_partition, source_offset"}
PER_RUN = ("seconds", "preview")
"""Metadata of a report that depends on the time, or on the order of the rows in the files."""


@dataclass(frozen=True)
class TableState:
    """State of a table that is the same whichever engine has written it.

    Attributes:
        first_seen: time of each row of the quarantine, by position; equal within a lake only.
    """

    rows: list[dict[str, Any]]
    columns: list[Any]
    properties: Mapping[str, str]
    protocol: tuple[int, int, Any, Any]
    transaction: int | None
    metadata: Mapping[str, Any]
    first_seen: dict[tuple[int, int], Any]

    def comparable(self) -> dict[str, Any]:
        return {name: value for name, value in asdict(self).items() if name != "first_seen"}


def table_state(lake: Lake, key: str) -> TableState | None:
    """Read the state of a table; None if it does not exist."""
    table = lake.snapshot(key)
    if table is None:
        return None
    rows = table.query(f"select * from t order by {ROW_ORDER[key.partition('/')[0]]}").to_pylist()  # noqa: S608
    protocol = table.delta.protocol()
    return TableState(
        [{name: value for name, value in row.items() if name != "first_seen"} for row in rows],
        json.loads(table.delta.schema().to_json())["fields"],
        table.delta.metadata().configuration,
        (protocol.min_reader_version, protocol.min_writer_version, protocol.reader_features, protocol.writer_features),
        table.delta.transaction_version(APPLICATION),
        # The metadata is compared as text: its order is part of it.
        {"stored": json.dumps(table.last_commit.metadata), "progress": _progress(lake, key)},
        {(row["source_partition"], row["source_offset"]): row["first_seen"] for row in rows if "first_seen" in row},
    )


def _progress(lake: Lake, key: str) -> Any:
    return asdict(CleaningProgress.of(lake.require(key))) if key.startswith("cleaned/") else None


def report_state(report: Report) -> dict[str, Any]:
    """Return the content of a report that is the same whichever engine has run."""
    metadata = {name: value for name, value in report.metadata.items() if name not in PER_RUN}
    return {"key": report.key, "rows": report.rows, "metadata": metadata, "checks": report.checks}
