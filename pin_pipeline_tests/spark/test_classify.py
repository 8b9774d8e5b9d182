"""Classification on Spark: published values, and reasons of rejected records."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from pyspark.sql import SparkSession

from pin_pipeline.records import RECORD_TYPES
from pin_pipeline.records.reasons import DESCRIPTIONS, Reason
from pin_pipeline.spark.classify import classify
from pin_pipeline_tests.helpers.rows import geo, pin, user

Row = dict[str, Any]
ClassifyRows = Callable[..., list[Row]]
RECORDS = "topic string, partition int, offset bigint, bytes binary"


@pytest.fixture
def classify_rows(spark: SparkSession) -> ClassifyRows:
    def classify_values(record_type: str, *values: Row | str) -> list[Row]:
        texts = [value if isinstance(value, str) else json.dumps(value) for value in values]
        rows = [("t", 0, offset, text.encode()) for offset, text in enumerate(texts)]
        frame = classify(RECORD_TYPES[record_type], spark.createDataFrame(rows, RECORDS))
        return [row.asDict(recursive=True) for row in frame.orderBy("offset").collect()]

    return classify_values


def test_classify_publishes_pin_with_columns_in_order(classify_rows: ClassifyRows) -> None:
    (row,) = classify_rows("pin", pin(7))
    assert row.pop("rejection") is None
    assert list(row)[4:-2] == [column.name for column in RECORD_TYPES["pin"].columns]
    assert {name: row[name] for name in ("ind", "follower_count", "save_location", "title")} == {
        "ind": 7,
        "follower_count": 12_000,
        "save_location": "/data/art",
        "title": "Pin 7",
    }


def test_classify_publishes_geo_with_coordinates_and_utc_timestamp(
    classify_rows: ClassifyRows, spark: SparkSession
) -> None:
    assert spark.conf.get("spark.sql.session.timeZone") == "UTC"
    timestamps = ["2019-01-01 07:21:13", "2019-01-01T07:21:13", "2019-01-01T09:21:13+02:00", "2019-01-01T07:21:13.000Z"]
    rows = classify_rows("geo", *(geo(timestamp=each) for each in timestamps))
    assert {row["timestamp"].astimezone(UTC) for row in rows} == {datetime(2019, 1, 1, 7, 21, 13, tzinfo=UTC)}
    assert [row["coordinates"] for row in rows] == [[-88.8298, 170.188]] * 4


def test_classify_publishes_user_with_full_name(classify_rows: ClassifyRows) -> None:
    both, first, none = classify_rows("user", user(), user(last_name=" "), user(first_name=None, last_name=""))
    assert (both["user_name"], first["user_name"], none["user_name"]) == ("Ada Lovelace", "Ada", None)


FOLLOWERS = {
    "0": 0,
    "997": 997,
    "1k": 1_000,
    "991K": 991_000,
    "1.2k": 1_200,
    "0.001k": 1,
    "15M": 15_000_000,
    "1b": 1_000_000_000,
    "1.000000001B": 1_000_000_001,
    "User Info Error": None,
    "  ": None,
}


def test_classify_parses_follower_counts_exactly(classify_rows: ClassifyRows) -> None:
    rows = classify_rows("pin", *(pin(follower_count=count) for count in FOLLOWERS))
    assert [row["rejection"] for row in rows] == [None] * len(rows)
    assert dict(zip(FOLLOWERS, (row["follower_count"] for row in rows), strict=True)) == FOLLOWERS


NULL_VALUES = [
    ("title", "No Title Data Available"),
    ("description", "No description available"),
    ("description", "No description available Story format"),
    ("poster_name", "User Info Error"),
    ("tag_list", "N,o, ,T,a,g,s, ,A,v,a,i,l,a,b,l,e"),
    ("image_src", "Image src error."),
    ("title", ""),
    ("category", " \t\n\u00a0"),
    ("category", None),
]


def test_classify_publishes_sentinels_blank_text_and_null_as_null(classify_rows: ClassifyRows) -> None:
    rows = classify_rows("pin", *(pin(**{field: value}) for field, value in NULL_VALUES))
    for row, (field, value) in zip(rows, NULL_VALUES, strict=True):
        assert (row["rejection"], row[field]) == (None, None), (field, value)


def test_classify_preserves_other_text_byte_for_byte(classify_rows: ClassifyRows) -> None:
    texts = ["no title data available", " No Title Data Available", "\n é…\u00a0", "😀", "\u0000x"]
    rows = classify_rows("pin", *(pin(title=text) for text in texts))
    assert [(row["rejection"], row["title"]) for row in rows] == [(None, text) for text in texts]


def test_classify_accepts_missing_optional_fields(classify_rows: ClassifyRows) -> None:
    old_model = {name: value for name, value in pin().items() if name not in {"poster_name", "description"}}
    (row,) = classify_rows("pin", old_model)
    assert (row["rejection"], row["poster_name"], row["description"]) == (None, None, None)


def test_classify_accepts_unknown_fields(classify_rows: ClassifyRows) -> None:
    (row,) = classify_rows("geo", geo(altitude=12))
    assert row["rejection"] is None


REASONS = [
    ("pin", '["\\ud800"]', Reason.NOT_JSON, None, None),
    ("pin", '{"a":' * 1025 + "1" + "}" * 1025, Reason.NOT_JSON, None, None),
    ("pin", '{"index": 1', Reason.NOT_JSON, None, None),
    ("pin", json.dumps(json.dumps(pin())), Reason.NOT_AN_OBJECT, None, None),
    ("pin", json.dumps([pin()]), Reason.NOT_AN_OBJECT, None, None),
    ("pin", "null", Reason.NOT_AN_OBJECT, None, None),
    ("pin", user(), Reason.NO_KEY, "index", None),
    ("geo", geo(ind=None), Reason.NO_KEY, "ind", None),
    ("geo", user(), Reason.OTHER_RECORD_TYPE, None, None),
    ("user", {"ind": 1}, Reason.OTHER_RECORD_TYPE, None, None),
    ("user", {"ind": 1, "age": 30}, Reason.MISSING_FIELD, "first_name", None),
    ("pin", pin(index="1"), Reason.WRONG_TYPE, "index", '"1"'),
    ("pin", pin(index=1.5), Reason.INVALID_VALUE, "index", "1.5"),
    ("pin", pin(title=["Pin"]), Reason.WRONG_TYPE, "title", '["Pin"]'),
    ("pin", pin(follower_count=12), Reason.WRONG_TYPE, "follower_count", "12"),
    ("pin", pin(downloaded=True), Reason.WRONG_TYPE, "downloaded", "true"),
    ("geo", geo(latitude="1"), Reason.WRONG_TYPE, "latitude", '"1"'),
    ("geo", geo(timestamp=1546300800), Reason.WRONG_TYPE, "timestamp", "1546300800"),
    ("user", user(age=None), Reason.WRONG_TYPE, "age", "null"),
    ("pin", pin(follower_count="many"), Reason.INVALID_VALUE, "follower_count", '"many"'),
    ("pin", pin(follower_count="1.2345k"), Reason.INVALID_VALUE, "follower_count", '"1.2345k"'),
    ("pin", pin(follower_count="-5"), Reason.INVALID_VALUE, "follower_count", '"-5"'),
    ("pin", pin(follower_count="99999999999b"), Reason.INVALID_VALUE, "follower_count", '"99999999999b"'),
    ("pin", pin(save_location="elsewhere"), Reason.INVALID_VALUE, "save_location", '"elsewhere"'),
    ("pin", pin(index=2**31), Reason.INVALID_VALUE, "index", "2147483648"),
    ("pin", pin(index=-1), Reason.INVALID_VALUE, "index", "-1"),
    ("pin", pin(index=10**20), Reason.INVALID_VALUE, "index", "1e+20"),
    ("geo", geo(latitude=123), Reason.INVALID_VALUE, "latitude", "123"),
    ("geo", geo(longitude=-180.1), Reason.INVALID_VALUE, "longitude", "-180.1"),
    ("geo", geo(timestamp="yesterday"), Reason.INVALID_VALUE, "timestamp", '"yesterday"'),
    ("geo", geo(timestamp="2019-02-29 00:00:00"), Reason.INVALID_VALUE, "timestamp", '"2019-02-29 00:00:00"'),
    ("user", user(age=-4), Reason.INVALID_VALUE, "age", "-4"),
]


@pytest.mark.parametrize("record_type", RECORD_TYPES)
def test_classify_rejects_record_with_reason_and_publishes_nothing(
    classify_rows: ClassifyRows, record_type: str
) -> None:
    cases = [case[1:] for case in REASONS if case[0] == record_type]
    rows = classify_rows(record_type, *(value for value, *_ in cases))
    for row, (value, reason, field, shown) in zip(rows, cases, strict=True):
        assert row["rejection"] == {"reason": reason.value, "field": field, "value": shown}, value
        assert all(row[column.name] is None for column in RECORD_TYPES[record_type].columns), value


def test_reasons_are_all_covered_and_described() -> None:
    assert {reason for _, _, reason, _, _ in REASONS} == set(Reason) == set(DESCRIPTIONS)
