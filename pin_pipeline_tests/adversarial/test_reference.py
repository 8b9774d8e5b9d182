"""Cleaning by both engines against the reference implementation, on 100,000 records of which a third are modified."""

from __future__ import annotations

import json
from collections.abc import Iterator
from random import Random
from typing import Any

import pytest

from pin_pipeline.batch.engines.base import BatchEngine
from pin_pipeline.batch.engines.embedded import EmbeddedEngine
from pin_pipeline.batch.engines.spark import SparkEngine
from pin_pipeline.emulator import synthetic
from pin_pipeline.records import RECORD_TYPES
from pin_pipeline.records.fields import Field, Integer, Magnitude, Number, PrefixedPath, Text, Timestamp
from pin_pipeline.settings import Settings
from pin_pipeline_tests.adversarial.strings import STRINGS
from pin_pipeline_tests.batch.batch_helpers import put, run_clean, table, totals, with_new_bucket
from pin_pipeline_tests.helpers import reference

Engine = BatchEngine[Any]
Row = dict[str, Any]
COUNTS = {"pin": 34_000, "geo": 33_000, "user": 33_000}
VALUES_OF_ANY_TYPE: list[Any] = [None, True, 0, -1, 1.5, "", "x", [], {}, ["x"], {"a": None}]


def generate_rows(record_type: str, random: Random) -> Iterator[Row]:
    """Repeat the synthetic rows with unique keys; a third of them have one to three modified fields."""
    definition = RECORD_TYPES[record_type]
    rows = list(synthetic.rows(record_type))
    for key in range(COUNTS[record_type]):
        row: Row = rows[key % len(rows)] | {definition.key: key}
        row = {name: value if isinstance(value, int | float | str) else str(value) for name, value in row.items()}
        if random.random() < 1 / 3:
            for field in random.sample(definition.fields[1:], random.choice((1, 1, 1, 2, 3))):
                modify(row, field, random)
        yield row


def modify(row: Row, field: Field, random: Random) -> None:
    match random.randrange(12):
        case 0:
            del row[field.name]
        case 1:
            row[field.name] = random.choice(VALUES_OF_ANY_TYPE)
        case 2:
            row[random.choice(["extra", field.name.upper()])] = random.choice(VALUES_OF_ANY_TYPE)
        case _:
            row[field.name] = other_value(field, random)


def other_value(field: Field, random: Random) -> Any:
    """Return another value of the field's JSON type, which is often accepted."""
    match field:
        case Magnitude():
            digits = random.choice(["", str(random.randrange(10 ** random.randint(1, 19)))])
            fraction = random.choice(["", "", f".{random.randrange(10 ** random.randint(1, 10))}"])
            return digits + fraction + random.choice(["", *"kKmMbB", "q", " "])
        case PrefixedPath():
            return random.choice(["/", "Local save in /", "local save in /", "x", "Local save in "]) + random.choice(
                STRINGS
            )
        case Text():
            return random.choice([*field.sentinels, random.choice(STRINGS), random.choice(STRINGS)])
        case Integer():
            return random.choice(
                [field.minimum, field.maximum, field.minimum - 1, field.maximum + 1, 10**20, 1.0, -0.0]
            )
        case Number():
            limits = (field.minimum, field.maximum)
            return random.choice(
                [*limits, limits[0] - 1e-9, limits[1] + 1e-9, random.uniform(*limits), random.uniform(-999, 999)]
            )
        case Timestamp():
            year, month, day = random.choice([1, 1582, 1900, 2019, 9999]), random.randint(0, 13), random.randint(0, 31)
            hour, second = random.randint(0, 25), random.choice([0, 59, 60])
            suffix = random.choice(["", "", ".5", ".123456", ".1234567", "Z", "+01:30", "-14:00", "+15:00", " UTC"])
            return f"{year:04}-{month:02}-{day:02}{random.choice(' Tt')}{hour:02}:59:{second:02}{suffix}"
    raise NotImplementedError(type(field))


@pytest.mark.parametrize("record_type", RECORD_TYPES)
def test_tables_cleaned_by_each_engine_equal_reference_cell_by_cell(
    settings: Settings, spark_engine: SparkEngine, embedded_engine: EmbeddedEngine, record_type: str
) -> None:
    assert sum(COUNTS.values()) == 100_000
    rows = list(generate_rows(record_type, Random(f"reference {record_type}")))
    values = [json.dumps(row, ensure_ascii=bool(number % 2)).encode() for number, row in enumerate(rows)]
    names = [field.name for field in RECORD_TYPES[record_type].fields]
    rejections = {offset: reference.rejection(names, row) for offset, row in enumerate(rows)}
    rejected = {offset: rejection for offset, rejection in rejections.items() if rejection is not None}
    expected = {offset: reference.CLEAN[record_type](row) for offset, row in enumerate(rows) if offset not in rejected}
    assert len(rejected) > 1_000
    columns = [column.name for column in RECORD_TYPES[record_type].columns]
    engines: tuple[Engine, ...] = (spark_engine, embedded_engine)
    for engine in engines:
        separate = with_new_bucket(settings)
        put(separate, record_type, values)
        report = run_clean(separate, engine, record_type)["cleaned/" + record_type]
        assert totals(report) == (len(rows), len(expected), 0, len(rejected), 0)
        found = table(separate, f"cleaned/{record_type}")
        assert {row["source_offset"]: [row[name] for name in columns] for row in found} == {
            offset: [row[name] for name in columns] for offset, row in expected.items()
        }
        quarantined = table(separate, f"quarantine/{record_type}", "select source_offset, reason, field, bytes from t")
        assert {row["source_offset"]: (row["reason"], row["field"], row["bytes"]) for row in quarantined} == {
            offset: (*rejection, values[offset]) for offset, rejection in rejected.items()
        }
