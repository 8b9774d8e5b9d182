"""Rows for tests of the queries on which SQL engines may differ, and a writer of cleaned tables without Spark."""

from __future__ import annotations

from random import Random
from typing import Any, Literal

import pyarrow as pa
from deltalake import write_deltalake

from pin_pipeline.records import RECORD_TYPES
from pin_pipeline.records.positions import SOURCE_POSITION
from pin_pipeline.storage.lake import PROPERTIES, Lake, delta_schema
from pin_pipeline_tests.helpers.reference import Tables
from pin_pipeline_tests.helpers.rows import geo, pin, user

Rows = dict[str, list[dict[str, Any]]]

TEXTS = [*"ZazÉßÿΩ🙂%\uff21\ue000\ufffd\U0001d49c", "e\u0301", "ss", "中文", "a b", "a'b", '"']
"""Texts that a locale orders differently from their bytes, and characters beyond 16 bits, which UTF-16 does."""

BEYOND_DOUBLE = [0, 1, 2, 3, 5, 2**52, 2**53 - 1, 2**53, 2**53 + 2, 2**53 + 4, 2**54, 2**62, 2**63 - 2**11]
"""Counts up to the largest bigint, each of which a double holds exactly; the mean of two is rounded only once."""

YEAR_ENDS = [
    f"{time}{zone}"
    for time in ("2014-12-31 23:59:59.999999", "2015-01-01 00:00:00", "2017-12-31T23:30:00", "2018-01-01T00:30:00")
    for zone in ("", "Z", "+01:00", "-01:00", "+14:00")
] + ["2020-12-31 23:59:59", "2021-01-01 00:00:00", "2022-12-31 23:59:59", "2023-01-01T00:30:00+01:00"]
EXTREMES = ["0001-01-01 00:00:00", "1582-10-10 12:00:00", "9999-12-31 23:59:59"]


def special_rows(seed: int = 5) -> Rows:
    """Generate rows with special texts, large counts, missing values and times around the ends of years."""
    random = Random(seed)
    keys = range(200)
    counts = [*map(str, BEYOND_DOUBLE), "User Info Error"]
    return {
        "pin": [
            pin(
                key,
                category=random.choice(TEXTS),
                follower_count=(count := random.choice(counts)),
                poster_name=count if count == "User Info Error" else random.choice([*TEXTS, None]),
            )
            for key in keys
        ],
        "geo": [geo(key, country=random.choice(TEXTS), timestamp=_time(random)) for key in keys],
        "user": [
            user(
                key,
                first_name=random.choice(["Ada", None]),
                last_name=random.choice(["🙂", None]),
                age=random.choice([0, 17, 18, 24, 25, 35, 36, 50, 51, 150]),
                date_joined=_time(random),
            )
            for key in keys
        ],
    }


def _time(random: Random) -> str:
    return random.choice(YEAR_ENDS * 3 + EXTREMES)


def write_cleaned(lake: Lake, tables: Tables, mode: Literal["append", "overwrite"] = "append") -> None:
    """Write the cleaned tables of the reference, which delta-rs writes in other types of files than Spark."""
    for name, rows in tables.items():
        columns = [*RECORD_TYPES[name].columns, *SOURCE_POSITION]
        position = {"source_topic": name, "source_partition": 0}
        values = [{**row, **position, "source_offset": offset} for offset, row in enumerate(rows.values())]
        lake.ensure_table(f"cleaned/{name}", columns, PROPERTIES, "{}")
        table = lake.load(f"cleaned/{name}").delta
        write_deltalake(table, pa.Table.from_pylist(values, pa.schema(delta_schema(columns))), mode=mode)
