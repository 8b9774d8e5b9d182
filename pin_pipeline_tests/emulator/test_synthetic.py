"""Synthetic rows: identical on every machine, with the shape measured on the real tables."""

from __future__ import annotations

import hashlib
import re
from collections import Counter, defaultdict
from datetime import datetime
from itertools import groupby
from pathlib import Path
from typing import Any
from uuid import UUID

import orjson
import pytest

from pin_pipeline.emulator import synthetic
from pin_pipeline.emulator.source import SourceDatabase
from pin_pipeline.emulator.vocabulary import EMOJI
from pin_pipeline.records import RECORD_TYPES

DIGEST = "acf6807f694705827eedebd87eb74a5e7ed0752a428312cefa3a64d70b972e3c"
CATEGORY_SIZES = {
    "art": 896,
    "beauty": 742,
    "christmas": 999,
    "diy-and-crafts": 830,
    "education": 863,
    "event-planning": 748,
    "finance": 787,
    "home-decor": 860,
    "mens-fashion": 852,
    "quotes": 910,
    "tattoos": 971,
    "travel": 858,
    "vehicles": 838,
}
STORY = "multi-video(story page format)"
NO_TAGS = "N,o, ,T,a,g,s, ,A,v,a,i,l,a,b,l,e"

Rows = list[dict[str, Any]]


@pytest.fixture(scope="module")
def tables() -> dict[str, Rows]:
    return {record_type: list(synthetic.rows(record_type)) for record_type in RECORD_TYPES}


@pytest.fixture(scope="module")
def pins(tables: dict[str, Rows]) -> Rows:
    return tables["pin"]


def share(rows: Rows, column: str, pattern: str) -> float:
    return sum(re.search(pattern, row[column]) is not None for row in rows) / len(rows)


def test_synthetic_rows_are_identical_on_every_machine(tables: dict[str, Rows]) -> None:
    assert hashlib.sha256(orjson.dumps(tables)).hexdigest() == DIGEST


@pytest.mark.parametrize("record_type", RECORD_TYPES)
def test_synthetic_rows_have_columns_in_stored_order_and_consecutive_keys(
    record_type: str, tables: dict[str, Rows]
) -> None:
    assert {tuple(row) for row in tables[record_type]} == {
        tuple(field.name for field in RECORD_TYPES[record_type].fields)
    }
    assert [row[RECORD_TYPES[record_type].key] for row in tables[record_type]] == list(range(11_154))


def test_synthetic_pins_categories_are_contiguous_by_key(pins: Rows) -> None:
    runs = [(category, len(list(run))) for category, run in groupby(pins, key=lambda pin: pin["category"])]
    assert runs == list(CATEGORY_SIZES.items())
    assert all(pin["save_location"] == f"Local save in /data/{pin['category']}" for pin in pins)


def test_synthetic_pins_unique_ids_are_version_4_uuids(pins: Rows) -> None:
    assert {UUID(pin["unique_id"]).version for pin in pins} == {4}
    assert len({pin["unique_id"] for pin in pins}) == len(pins)


@pytest.mark.parametrize(
    ("column", "pattern", "low", "high"),
    [
        ("is_image_or_video", r"^image$", 0.89, 0.91),
        ("is_image_or_video", r"^multi-video\(story page format\)$", 0.065, 0.075),
        ("is_image_or_video", r"^video$", 0.025, 0.035),
        ("follower_count", r"^\d+$", 0.16, 0.19),
        ("follower_count", r"^\d+k$", 0.72, 0.755),
        ("follower_count", r"^\d+M$", 0.07, 0.09),
        ("follower_count", r"^User Info Error$", 0.005, 0.009),
        ("title", r"^No Title Data Available$", 0.005, 0.009),
        ("title", r"^\s", 0.001, 0.005),
        ("title", r"^\n", 0.0005, 0.004),
        ("description", r"^No description available$", 0.012, 0.017),
        ("description", r"[^\x00-\x7f]", 0.42, 0.46),
        ("description", r"…\u00a0$", 0.355, 0.385),
        ("description", "|".join(EMOJI), 0.015, 0.025),
        ("tag_list", f"^{NO_TAGS}$", 0.011, 0.017),
        ("image_src", r"^Image src error\.$", 0.018, 0.027),
    ],
)
def test_synthetic_pins_shares_are_close_to_measured_ones(
    pins: Rows, column: str, pattern: str, low: float, high: float
) -> None:
    assert low < share(pins, column, pattern) < high


def test_synthetic_pins_follower_counts_stay_in_measured_ranges(pins: Rows) -> None:
    counts = defaultdict(set)
    for pin in pins:
        if match := re.fullmatch(r"(\d+)([kM]?)", pin["follower_count"]):
            counts[match[2]].add(int(match[1]))
    assert {unit: min(numbers) for unit, numbers in counts.items()} == {"": 1, "k": 1, "M": 1}
    assert 980 < max(counts[""]) <= 997
    assert 980 < max(counts["k"]) <= 991
    assert 10 < max(counts["M"]) <= 15


def test_synthetic_pins_sentinels_are_consistent(pins: Rows) -> None:
    for pin in pins:
        assert (pin["poster_name"] == "User Info Error") == (pin["follower_count"] == "User Info Error")
        assert (pin["image_src"] == "Image src error.") == (pin["downloaded"] == 0)
        assert (pin["description"] == "No description available Story format") == (pin["is_image_or_video"] == STORY)
        assert pin["tag_list"] == NO_TAGS or pin["tag_list"].count(",") == 8


def test_synthetic_pins_exactly_one_title_is_empty(pins: Rows) -> None:
    assert sum(pin["title"] == "" for pin in pins) == 1


def test_synthetic_pins_longest_poster_name_has_268_characters(pins: Rows) -> None:
    assert max(len(pin["poster_name"]) for pin in pins) == 268


def test_synthetic_pins_nearly_every_poster_has_one_follower_count(pins: Rows) -> None:
    counts = defaultdict(set)
    for pin in pins:
        counts[pin["poster_name"]].add(pin["follower_count"])
    assert 0.95 < sum(len(values) == 1 for values in counts.values()) / len(counts) < 1


def test_synthetic_geolocations_countries_are_heavily_skewed(tables: dict[str, Rows]) -> None:
    posts = Counter(geo["country"] for geo in tables["geo"])
    assert len(posts) == 243
    assert posts.most_common()[0] == ("Albania", 563)
    assert posts.most_common()[-1] == ("United Arab Emirates", 5)
    assert all(any(mark in country for country in posts) for mark in (",", "'", "("))


def test_synthetic_geolocations_coordinates_have_at_most_four_decimals(tables: dict[str, Rows]) -> None:
    for geo in tables["geo"]:
        assert -90 <= geo["latitude"] <= 90
        assert -180 <= geo["longitude"] <= 180
        assert (round(geo["latitude"], 4), round(geo["longitude"], 4)) == (geo["latitude"], geo["longitude"])


def test_synthetic_rows_timestamps_stay_in_measured_ranges(tables: dict[str, Rows]) -> None:
    posted = [geo["timestamp"] for geo in tables["geo"]]
    joined = [user["date_joined"] for user in tables["user"]]
    assert datetime.fromisoformat("2017-10-19") <= min(posted) < max(posted) < datetime.fromisoformat("2022-10-20")
    assert datetime.fromisoformat("2015-10-21") <= min(joined) < max(joined) < datetime.fromisoformat("2017-10-21")
    assert {timestamp.year for timestamp in joined} == {2015, 2016, 2017}


def test_synthetic_users_are_5307_people_aged_20_to_60(tables: dict[str, Rows]) -> None:
    users = Counter(
        (user["first_name"], user["last_name"], user["age"], user["date_joined"]) for user in tables["user"]
    )
    assert len(users) == 5307
    assert max(users.values()) > 100
    assert {user["age"] for user in tables["user"]} == set(range(20, 61))


def test_synthetic_fill_stores_every_row(tmp_path: Path, tables: dict[str, Rows]) -> None:
    database = SourceDatabase(f"sqlite:///{tmp_path / 'source.db'}")
    synthetic.fill(database)
    synthetic.fill(database)
    for record_type, rows in tables.items():
        assert list(database.rows(record_type, range(len(rows)))) == rows
        assert database.count(record_type) == 11_154
