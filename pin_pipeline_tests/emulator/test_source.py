"""The source database, on real SQLite."""

from __future__ import annotations

import json
import socket
import traceback
from collections.abc import Callable
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from secrets import token_hex

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from sqlalchemy.dialects import mysql
from sqlalchemy.schema import CreateTable

from pin_pipeline.emulator import source
from pin_pipeline.emulator.files import Row, RowError
from pin_pipeline.emulator.source import SourceDatabase, SourceError
from pin_pipeline.records import GEO, PIN, RECORD_TYPES

wide = settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)


def geo(ind: int, country: str | None = "Peru") -> Row:
    moment = datetime(2018, 3, 1, 12, 30, 5, tzinfo=UTC).replace(tzinfo=None)
    return {"ind": ind, "timestamp": moment, "latitude": -1.5, "longitude": 170.1234, "country": country}


def geo_line(**changes: object) -> str:
    record = {"ind": 1, "timestamp": "2018-03-01 12:30:05", "latitude": 1, "longitude": 2.5, "country": "Peru"}
    return json.dumps(record | changes)


@pytest.fixture
def database(tmp_path: Path) -> SourceDatabase:
    return SourceDatabase(f"sqlite:///{tmp_path / 'folder' / 'source.db'}")


@pytest.fixture
def load_lines(database: SourceDatabase, tmp_path: Path) -> Callable[..., int]:
    names = count()

    def load(*lines: str | bytes, record_type: str = "geo") -> int:
        path = tmp_path / f"{record_type}{next(names)}.jsonl"
        path.write_bytes(b"\n".join(line if isinstance(line, bytes) else line.encode() for line in lines))
        return database.load_file(record_type, path)

    return load


def test_columns_stand_in_stored_order_under_the_key(database: SourceDatabase) -> None:
    for record_type in RECORD_TYPES.values():
        table = source.table(record_type, sa.MetaData())
        assert table.name == record_type.source_table
        assert [column.name for column in table.columns] == [field.name for field in record_type.fields]
        assert [column.name for column in table.primary_key] == [record_type.key]
        assert database.count(record_type.name) == 0


def test_mysql_gets_types_that_hold_every_value() -> None:
    ddl = [
        str(CreateTable(source.table(record_type, sa.MetaData())).compile(dialect=mysql.dialect()))
        for record_type in (PIN, GEO)
    ]
    assert "`index` INTEGER NOT NULL" in ddl[0]
    assert "AUTO_INCREMENT" not in ddl[0]
    assert "title TEXT" in ddl[0]
    assert "timestamp DATETIME(6) NOT NULL" in ddl[1]
    assert "latitude DOUBLE NOT NULL" in ddl[1]
    assert all("CHARSET=utf8mb4" in statement for statement in ddl)


def test_loading_again_replaces_the_row_of_the_same_key(database: SourceDatabase) -> None:
    assert database.load("geo", [geo(1), geo(2)]) == 2
    assert database.load("geo", [geo(2, "Chile"), geo(3), geo(3, "Cuba")]) == 3
    assert [row["country"] for row in database.rows("geo", range(3))] == ["Peru", "Chile", "Cuba"]
    assert database.count("geo") == 3


def test_a_position_is_the_nth_row_in_key_order_whatever_the_gaps(database: SourceDatabase) -> None:
    database.load("geo", [geo(50), geo(7), geo(20)])
    assert [row["ind"] for row in database.rows("geo", [2, 0, 1, 0])] == [50, 7, 20, 7]


def test_rows_are_read_across_batches_in_the_order_asked_for(
    database: SourceDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(source, "BATCH_ROWS", 3)
    database.load("geo", [geo(ind) for ind in range(0, 20, 2)])
    positions = [9, 1, 1, 1, 4, 0, 9, 2]
    rows = database.rows("geo", iter(positions))
    assert [row["ind"] for row in rows] == [2 * position for position in positions]
    assert database.count("geo") == 10


def test_a_position_beyond_the_last_row_is_an_error(database: SourceDatabase) -> None:
    database.load("geo", [geo(0)])
    with pytest.raises(SourceError, match="geolocation_data has 1 rows, none at position 1"):
        list(database.rows("geo", [0, 1]))


@wide
@given(
    country=st.none() | st.text(),
    latitude=st.floats(allow_nan=False, allow_infinity=False),
    moment=st.datetimes(),
    ind=st.integers(-(2**31) + 1, 2**31 - 1),
)
@example(
    country="NUL \0, quotes '\"`, emoji 👩🏽‍🎨, \\ and \u2028",
    latitude=-0.0,
    moment=datetime.fromisoformat("0001-01-01"),
    ind=0,
)
def test_a_row_comes_back_as_it_was_loaded(
    database: SourceDatabase, country: str | None, latitude: float, moment: datetime, ind: int
) -> None:
    row = geo(ind, country) | {"latitude": latitude, "timestamp": moment}
    database.load("geo", [row])
    found = [found for found in database.rows("geo", range(database.count("geo"))) if found["ind"] == ind]
    assert [list(row.items()) for row in found] == [list(row.items())]


@wide
@given(country=st.text(), ascii_only=st.booleans())
@example(country="NUL \0, quotes '\"`, emoji 👩🏽‍🎨, \\ and \u2028", ascii_only=False)
def test_text_of_json_lines_is_kept(
    database: SourceDatabase, load_lines: Callable[..., int], country: str, ascii_only: bool
) -> None:
    assert load_lines(json.dumps(json.loads(geo_line()) | {"country": country}, ensure_ascii=ascii_only)) == 1
    assert next(database.rows("geo", [0]))["country"] == country


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2018-03-01 12:30:05", (2018, 3, 1, 12, 30, 5)),
        ("2018-03-01T12:30:05", (2018, 3, 1, 12, 30, 5)),
        ("2018-03-01T12:30:05.25Z", (2018, 3, 1, 12, 30, 5, 250_000)),
        ("2018-03-01T00:30:05+02:00", (2018, 2, 28, 22, 30, 5)),
    ],
)
def test_timestamps_are_stored_in_utc(
    database: SourceDatabase, load_lines: Callable[..., int], text: str, moment: tuple[int, ...]
) -> None:
    load_lines(geo_line(timestamp=text))
    stored = next(database.rows("geo", [0]))["timestamp"]
    assert isinstance(stored, datetime)
    assert stored.tzinfo is None
    assert (*stored.timetuple()[:6], *([stored.microsecond] if stored.microsecond else [])) == moment


def test_blank_lines_are_skipped_and_optional_fields_may_be_absent(
    database: SourceDatabase, load_lines: Callable[..., int]
) -> None:
    texts = {field.name: "x" for field in PIN.fields if field.required}
    line = json.dumps(texts | {"index": 5, "downloaded": 1})
    assert load_lines("", line, "  ", record_type="pin") == 1
    assert next(database.rows("pin", [0])) == texts | {
        "index": 5,
        "downloaded": 1,
        "description": None,
        "poster_name": None,
    }


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", "expected a geo row as a JSON object, found no valid JSON"),
        (b'{"country": "\xff"}', "found no valid JSON"),
        (r'{"country": "\ud800"}', "found no valid JSON"),
        ("[1]", r"expected a geo row as a JSON object, found \[1\]"),
        (geo_line(colour="red"), "field 'colour' is unknown; expected the columns of geolocation_data"),
        (json.dumps({"ind": 1}), "field 'timestamp' is missing"),
        (geo_line(ind="1"), "field 'ind': expected a whole number of at most 2147483647, found \"1\""),
        (geo_line(ind=True), "field 'ind': expected a whole number"),
        (geo_line(ind=1.0), "field 'ind': expected a whole number"),
        (geo_line(ind=2**31), "field 'ind': expected a whole number"),
        (geo_line(ind=None), "field 'ind': expected a whole number .*, found null"),
        (geo_line(latitude="1.5"), "field 'latitude': expected a number, found \"1.5\""),
        (geo_line(latitude=float("nan")), "found no valid JSON"),
        (geo_line(country=["Peru"]), r"field 'country': expected text or null, found \[\"Peru\"\]"),
        (geo_line(timestamp="yesterday"), "field 'timestamp': expected a time as YYYY-MM-DD HH:MM:SS or ISO 8601"),
        (geo_line(timestamp="2018-02-30 00:00:00"), "field 'timestamp': expected a time"),
        (geo_line(timestamp="2018-02-03"), "field 'timestamp': expected a time"),
        (geo_line(timestamp="0001-01-01T00:00:00+10:00"), "field 'timestamp': expected a time"),
        (geo_line(timestamp=1519907405), "field 'timestamp': expected a time .*, found 1519907405"),
        (geo_line(timestamp="x" * 200), 'found "x{79}…$'),
    ],
)
def test_a_line_that_is_no_row_is_named_and_nothing_is_loaded(
    database: SourceDatabase, load_lines: Callable[..., int], line: str | bytes, message: str
) -> None:
    database.load("geo", [geo(1, "Chile")])
    with pytest.raises(RowError, match=rf"geo0\.jsonl, line 3: .*{message}"):
        load_lines(geo_line(ind=1), geo_line(ind=2), line)
    assert [row["country"] for row in database.rows("geo", range(database.count("geo")))] == ["Chile"]


def test_nothing_of_a_file_is_loaded_when_it_breaks_off_after_many_batches(
    database: SourceDatabase, load_lines: Callable[..., int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(source, "BATCH_ROWS", 2)
    with pytest.raises(RowError, match="line 8"):
        load_lines(*(geo_line(ind=ind) for ind in range(7)), "{")
    assert database.count("geo") == 0


def test_csv_says_the_same_as_json_lines(database: SourceDatabase, tmp_path: Path) -> None:
    path = tmp_path / "geo.CSV"
    lines = [
        "\ufeffind,country,latitude,longitude,timestamp",
        '7,"Côte d\'Ivoire, ""x""\nsecond line",-1.5,2,2018-03-01 12:30:05',
        "8,\\N,1e1,0.25,2018-03-01T14:30:05+02:00",
        "9,,3,4,2018-03-01 12:30:05",
    ]
    path.write_text("\r\n".join(lines), encoding="utf-8", newline="")
    assert database.load_file("geo", path) == 3
    moment = datetime.fromisoformat("2018-03-01 12:30:05")
    rows = [
        (7, moment, -1.5, 2, 'Côte d\'Ivoire, "x"\nsecond line'),
        (8, moment, 10, 0.25, None),
        (9, moment, 3, 4, ""),
    ]
    names = ("ind", "timestamp", "latitude", "longitude", "country")
    found = [tuple(row[name] for name in names) for row in database.rows("geo", range(3))]
    assert found == rows


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (b"2,Chile,north,2,2018-03-01 12:30:05", "line 3: field 'latitude': expected a number, found \"north\""),
        (b"2,Chile,,2,2018-03-01 12:30:05", "line 3: field 'latitude': expected a number"),
        (b"2.5,Chile,1,2,2018-03-01 12:30:05", "line 3: field 'ind': expected a whole number"),
        (b"2,Chile,1,2", "line 3: there is no cell for column 'timestamp'"),
        (b"2,Chile,1,2,2018-03-01 12:30:05,x", "line 3: there are more cells than columns"),
        (b'2,"Chile', "line 3: expected CSV in UTF-8"),
        (b"2,Chil\xe9,1,2,2018-03-01 12:30:05", "expected CSV in UTF-8"),
    ],
)
def test_csv_that_is_no_row_is_named_and_nothing_is_loaded(
    database: SourceDatabase, tmp_path: Path, line: bytes, message: str
) -> None:
    path = tmp_path / "geo.csv"
    path.write_bytes(b"ind,country,latitude,longitude,timestamp\n1,Peru,1,2,2018-03-01 12:30:05\n" + line + b"\n")
    with pytest.raises(RowError, match=rf"geo\.csv, {message}" if message.startswith("line") else message):
        database.load_file("geo", path)
    assert database.count("geo") == 0


def test_a_missing_file_is_named(database: SourceDatabase, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"nowhere\.jsonl"):
        database.load_file("geo", tmp_path / "nowhere.jsonl")


def test_a_row_the_table_refuses_is_an_error_and_nothing_is_loaded(database: SourceDatabase) -> None:
    with pytest.raises(SourceError, match=r"source database sqlite:.*NOT NULL constraint failed"):
        database.load("geo", [geo(1), geo(2) | {"latitude": None}])
    assert database.count("geo") == 0


def test_an_unreachable_database_is_named_without_its_password() -> None:
    password = token_hex()
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
        with pytest.raises(SourceError) as raised:
            SourceDatabase(f"mysql+pymysql://reader:{password}@127.0.0.1:{port}/pinterest_data")
    assert f"mysql+pymysql://reader:***@127.0.0.1:{port}/pinterest_data" in str(raised.value)
    assert "PIN_SOURCE_URL" in str(raised.value)
    assert password not in "".join(traceback.format_exception(raised.value))


@pytest.mark.parametrize("url", ["s3cret", "nosuch://u:s3cret@host/db", "mysql+pymysql://u:s3cret@host:port/db", ""])
def test_a_url_that_cannot_be_used_is_an_error_that_does_not_repeat_it(url: str) -> None:
    with pytest.raises(SourceError, match=r"PIN_SOURCE_URL is no database URL .* expected one like") as raised:
        SourceDatabase(url)
    assert "s3cret" not in str(raised.value)


def test_a_folder_that_cannot_be_created_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SourceError, match="cannot be created"):
        SourceDatabase(f"sqlite:///{tmp_path / 'file' / 'folder' / 'source.db'}")
