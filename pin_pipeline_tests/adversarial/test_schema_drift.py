"""Schema drift: each change of a record has the outcome documented in docs/reference/drift.md."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pin_pipeline.batch.engines.base import BatchEngine
from pin_pipeline.landing.lander import land_topic
from pin_pipeline.quality.table_checks import check_table
from pin_pipeline.records import PIN
from pin_pipeline.settings import Settings
from pin_pipeline.storage.lake import Lake
from pin_pipeline.storage.object_store import ObjectStore
from pin_pipeline_tests.batch.batch_helpers import run_clean, table
from pin_pipeline_tests.helpers.rows import pin, user
from pin_pipeline_tests.helpers.topics import produce

Engine = BatchEngine[Any]


def without(name: str) -> dict[str, Any]:
    return {field: value for field, value in pin().items() if field != name}


def renamed(name: str, new: str) -> dict[str, Any]:
    return {new if field == name else field: value for field, value in pin().items()}


def with_text(member: str) -> bytes:
    return f"{json.dumps(pin())[:-1]},{member}}}".encode()


# Bytes unchanged, other values as JSON; records with the default key get a unique one.
CASES: dict[str, Any] = {
    "unchanged": pin(),
    "added field": pin(colour="red"),
    "added field that differs only in case (`Title` besides `title`)": pin(Title="again"),
    "dropped field": without("category"),
    "dropped optional field": without("description"),
    "dropped key": without("index"),
    "renamed field": renamed("category", "topic"),
    "re-cased field": renamed("category", "Category"),
    "text that became a number": pin(follower_count=12),
    "number that became text": pin(downloaded="1"),
    "number that became a boolean": pin(downloaded=True),
    "whole number with a fraction": pin(downloaded=1.0),
    "whole number with an exponent": json.dumps(pin()).replace('"downloaded": 1', '"downloaded": 1e0').encode(),
    "number beyond 32 bits": pin(index=2**31),
    "number beyond 64 bits": pin(index=2**70),
    "number beyond a double": with_text('"x":1e400'),
    "unknown field with a number of 1,001 digits": with_text(f'"x":0.{"1" * 1_001}'),
    "value wrapped in a list": pin(title=["Pin"]),
    "value nested in an object": pin(title={"en": "Pin"}),
    "record nested in an object": {"pin": pin()},
    "record wrapped in a list": [pin()],
    "record encoded twice": json.dumps(pin()),
    "record of another type": user(),
    "text that is null": pin(category=None),
    "number that is null": pin(downloaded=None),
    "key that is null": pin(index=None),
    "all fields except the key null": dict.fromkeys(pin()) | {"index": 1},
    "null record": b"null",
    "tombstone": None,
    "new category": pin(category="gardens", save_location="/data/gardens"),
    "new format": pin(is_image_or_video="hologram"),
    "new count format": pin(follower_count="12 thousand"),
    "new folder format": pin(save_location="C:\\data\\art"),
    "inconsistent sentinels": pin(downloaded=0),
    "duplicate key (the last one counts)": with_text('"index":999'),
    "duplicate field (the last one counts)": with_text('"title":"last"'),
    "unknown field nested 1,025 levels deep": with_text(f'"x":{"[" * 1_024}{"]" * 1_024}'),
    "lone surrogate in a text": with_text('"x":"\\ud800"'),
    "surrogate pair in a text": pin(title="\U0001f600"),
    "NUL in a text": pin(title="a\u0000b"),
    "raw control character in a text": json.dumps(pin(title="TAB")).replace("TAB", "\t").encode(),
    "byte order mark": b"\xef\xbb\xbf" + json.dumps(pin()).encode(),
    "UTF-16": json.dumps(pin()).encode("utf-16"),
    "Latin-1": json.dumps(pin(title="é"), ensure_ascii=False).encode("latin-1"),
    "CRLF after the record": json.dumps(pin()).encode() + b"\r\n",
    "record on several lines": json.dumps(pin(), indent=2).encode(),
    "empty record": b"",
    "blank record": b" ",
    "empty object": {},
    "two records in one message": json.dumps(pin()).encode() * 2,
    "truncated record": json.dumps(pin()).encode()[:-9],
}


def with_unique_key(value: Any, number: int) -> Any:
    """Replace the default key of a record by a unique one."""
    if isinstance(value, bytes):
        return value.replace(b'"index": 1,', f'"index": {number},'.encode())
    return value | {"index": number} if isinstance(value, dict) and value.get("index") == 1 else value


def documented_outcomes() -> dict[str, str]:
    lines = [line.strip("| ").split(" | ") for line in Path("docs/reference/drift.md").read_text().splitlines()]
    return {line[0]: line[1] for line in lines if len(line) == 2 and line[0] != "change"}


def outcomes(settings: Settings, engine: Engine) -> Iterator[str]:
    """Yield the outcome of each record, in the order of the offsets."""
    report = run_clean(settings, engine, "pin")["cleaned/pin"]
    offsets = {row["ind"]: row["source_offset"] for row in table(settings, "cleaned/pin")}
    reported: dict[int, str] = {}
    for check in [*report.checks, *check_table(PIN, Lake.of(settings).require("cleaned/pin"), 0, datetime.now(UTC))]:
        text = f"{check.metadata.get('example')} {check.metadata.get('fields')} {check.metadata.get('sample')}"
        for ind, offset in offsets.items():
            if f"offset {offset}\n" in f"{text}\n".replace(" None", "\n") or f"| {ind} |" in text:
                reported[offset] = check.name
    reasons = {row["source_offset"]: row["reason"] for row in table(settings, "quarantine/pin")}
    for offset in range(len(CASES)):
        if offset in reasons:
            yield f"quarantined: `{reasons[offset]}`"
        else:
            assert offset in offsets.values()
            yield f"published, reported by `{reported[offset]}`" if offset in reported else "published"


def test_schema_drift_outcomes_equal_documented_ones(settings: Settings, engine: Engine) -> None:
    produce(settings, "pin", [with_unique_key(value, number) for number, value in enumerate(CASES.values(), start=100)])
    land_topic(settings.kafka, ObjectStore.of(settings), settings.topic("pin"))
    found = dict(zip(CASES, outcomes(settings, engine), strict=True))
    assert found == documented_outcomes()
    titles = {row["ind"]: row["title"] for row in table(settings, "cleaned/pin")}
    assert titles[100 + list(CASES).index("duplicate field (the last one counts)")] == "last"
    assert 999 in titles
