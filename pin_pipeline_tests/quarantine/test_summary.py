"""Quarantine summary, and lookup of the records that it counts."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pytest

from pin_pipeline.batch.engines.base import BatchEngine
from pin_pipeline.quarantine.reader import Quarantine, QuarantineError, RecordId
from pin_pipeline.quarantine.summary import SCHEMA, summarize
from pin_pipeline.records import PIN
from pin_pipeline.records.reasons import Reason
from pin_pipeline.reports import Severity
from pin_pipeline.settings import Settings
from pin_pipeline.storage.lake import Lake
from pin_pipeline.streaming.delta_sink import DeltaSink
from pin_pipeline_tests.batch.batch_helpers import put, run_clean, table
from pin_pipeline_tests.helpers.rows import geo, pin
from pin_pipeline_tests.streaming.classified_rows import classify_stream_records

Engine = BatchEngine[Any]


def test_summary_counts_by_record_type_reason_and_day_and_records_are_found_by_id(
    settings: Settings, engine: Engine
) -> None:
    put(settings, "pin", [b"no json", b"[1", pin(follower_count="many"), *(pin(number) for number in range(197))])
    put(settings, "geo", [geo(number) for number in range(10)])
    run_clean(settings, engine)
    lake, today = Lake.of(settings), datetime.now(UTC).date()
    DeltaSink(lake, PIN, ("s", 1)).write(classify_stream_records([("shardId-000000000001", "4965", b"poison")]))
    report = summarize(lake)
    assert table(settings, "quarantine/summary") == [
        {"day": today, "kind": "pin", "source": "stream", "reason": "not_json", "records": 1},
        {"day": today, "kind": "pin", "source": "topic", "reason": "invalid_value", "records": 1},
        {"day": today, "kind": "pin", "source": "topic", "reason": "not_json", "records": 2},
    ]
    assert (report.rows, report.metadata["records"]) == (3, 4)
    by_reason = {reason: report.metadata[f"records_{reason}"] for reason in Reason}
    assert by_reason == dict.fromkeys(Reason, 0) | {Reason.NOT_JSON: 3, Reason.INVALID_VALUE: 1}
    [rate] = report.checks
    assert (rate.passed, rate.severity) == (False, Severity.WARN)
    assert (rate.metadata["share_of_pin"], rate.metadata["share_of_geo"]) == (0.015, 0.0)
    assert [Quarantine.of_topic(lake, record_type).count() for record_type in ("pin", "geo", "user")] == [3, 0, 0]
    assert _bytes_by_id(Quarantine.of_topic(lake, "pin")) == {"pin/0/1": b"[1", "pin/0/0": b"no json"}
    assert _bytes_by_id(Quarantine.of_stream(lake, "pin")) == {"pin/shardId-000000000001/4965": b"poison"}
    for missing in ("pin/0/7", "pin/shardId-000000000001/1"):
        record = RecordId.parse(missing)
        with pytest.raises(QuarantineError, match=f"{missing} is not in quarantine"):
            Quarantine.with_record(lake, record).find(record)


def _bytes_by_id(quarantine: Quarantine) -> dict[str, bytes]:
    """Look up each record that is not JSON by its listed ID, newest first."""
    ids = [str(quarantine.identity(row)) for row in quarantine.records([Reason.NOT_JSON], 10)]
    return {record: quarantine.find(RecordId.parse(record))["bytes"] for record in ids}


def test_summary_table_is_written_only_when_a_count_has_changed(settings: Settings, engine: Engine) -> None:
    put(settings, "pin", [b"no json"])
    run_clean(settings, engine, "pin")
    lake = Lake.of(settings)
    versions = []
    for _ in range(2):
        assert summarize(lake).checks[0].severity is Severity.ERROR, "all of the day's records are in quarantine"
        versions.append(lake.require("quarantine/summary").version)
    put(settings, "pin", [b"none"], first=1)
    run_clean(settings, engine, "pin")
    summarize(lake)
    assert [*versions, lake.require("quarantine/summary").version] == [0, 0, 1]


def test_summary_of_an_empty_quarantine_passes(settings: Settings) -> None:
    report = summarize(Lake.of(settings))
    assert (report.rows, [check.passed for check in report.checks]) == (0, [True])


def test_summary_adds_missing_columns_to_an_older_table(settings: Settings) -> None:
    lake = Lake.of(settings)
    lake.overwrite("quarantine/summary", pa.table({"day": [datetime.now(UTC).date()], "kind": ["pin"], "records": [1]}))
    summarize(lake)
    assert lake.load("quarantine/summary").query("select * from t").column_names == SCHEMA.names
