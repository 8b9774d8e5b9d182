"""Source database on real SQLite."""

from __future__ import annotations

import re
import socket
import sqlite3
import traceback
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from secrets import token_hex

import pytest
import sqlalchemy as sa
from hypothesis import example, given
from hypothesis import strategies as st
from sqlalchemy.dialects import mysql
from sqlalchemy.schema import CreateTable

from pin_pipeline.emulator import source
from pin_pipeline.emulator.source import SourceDatabase
from pin_pipeline.emulator.source_tables import LoadCounts, SourceError, source_table
from pin_pipeline.records import GEO, PIN, RECORD_TYPES
from pin_pipeline_tests.emulator.source_rows import MANY_EXAMPLES, geo


def test_source_tables_have_columns_in_stored_order_and_primary_key() -> None:
    for record_type in RECORD_TYPES.values():
        table = source_table(record_type, sa.MetaData())
        assert table.name == record_type.source_table
        assert [column.name for column in table.columns] == [field.name for field in record_type.fields]
        assert [column.name for column in table.primary_key] == [record_type.key]


def test_source_tables_mysql_types_hold_every_value() -> None:
    ddl = [
        str(CreateTable(source_table(record_type, sa.MetaData())).compile(dialect=mysql.dialect()))
        for record_type in (PIN, GEO)
    ]
    assert "`index` INTEGER NOT NULL" in ddl[0]
    assert "AUTO_INCREMENT" not in ddl[0]
    assert "title MEDIUMTEXT" in ddl[0]
    assert "timestamp DATETIME(6) NOT NULL" in ddl[1]
    assert "latitude DOUBLE NOT NULL" in ddl[1]
    assert all("CHARSET=utf8mb4" in statement for statement in ddl)


def test_source_load_replaces_rows_of_same_key(database: SourceDatabase) -> None:
    assert database.load("geo", [geo(1), geo(2)]) == LoadCounts(loaded=2)
    assert database.load("geo", [geo(2, "Chile"), geo(3), geo(3, "Cuba")]) == LoadCounts(1, 1, 1)
    assert [row["country"] for row in database.rows("geo", range(3))] == ["Peru", "Chile", "Cuba"]
    assert database.count("geo") == 3


def test_source_position_is_nth_row_in_key_order(database: SourceDatabase) -> None:
    database.load("geo", [geo(50), geo(7), geo(20)])
    assert [row["ind"] for row in database.rows("geo", [2, 0, 1, 0])] == [50, 7, 20, 7]


def test_source_rows_are_read_across_batches_in_requested_order(
    database: SourceDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(source, "BATCH_ROWS", 3)
    database.load("geo", [geo(ind) for ind in range(0, 20, 2)])
    positions = [9, 1, 1, 1, 4, 0, 9, 2]
    rows = database.rows("geo", iter(positions))
    assert [row["ind"] for row in rows] == [2 * position for position in positions]
    assert database.count("geo") == 10


def test_source_position_beyond_last_row_is_error(database: SourceDatabase) -> None:
    database.load("geo", [geo(0)])
    with pytest.raises(
        SourceError,
        match=r"cannot read position 1 of table geolocation_data in source database .*: it has 1 rows; load more rows",
    ):
        list(database.rows("geo", [0, 1]))


@MANY_EXAMPLES
@given(
    country=st.none() | st.text(),
    latitude=st.floats(allow_nan=False, allow_infinity=False),
    timestamp=st.datetimes(),
    ind=st.integers(-(2**31) + 1, 2**31 - 1),
)
@example(
    country="NUL \0, quotes '\"`, emoji 👩🏽‍🎨, \\ and \u2028",
    latitude=-0.0,
    timestamp=datetime.fromisoformat("0001-01-01"),
    ind=0,
)
def test_source_row_round_trips(
    database: SourceDatabase, country: str | None, latitude: float, timestamp: datetime, ind: int
) -> None:
    row = geo(ind, country) | {"latitude": latitude, "timestamp": timestamp}
    database.load("geo", [row])
    found = [found for found in database.rows("geo", range(database.count("geo"))) if found["ind"] == ind]
    assert [list(row.items()) for row in found] == [list(row.items())]


def test_source_load_constraint_violation_loads_nothing(database: SourceDatabase) -> None:
    with pytest.raises(
        SourceError,
        match=r"table geolocation_data in source database sqlite:.* refused the row with ind 2: NOT NULL constraint"
        r" failed: geolocation_data.latitude; the type of column latitude is DOUBLE; no row was stored",
    ):
        database.load("geo", [geo(1), geo(2) | {"latitude": None}])
    assert database.count("geo") == 0


def test_source_error_names_unreachable_database_without_password() -> None:
    password = token_hex()
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
        with pytest.raises(SourceError) as raised:
            SourceDatabase(f"mysql+pymysql://reader:{password}@127.0.0.1:{port}/pinterest_data").count("pin")
    assert f"mysql+pymysql://reader:***@127.0.0.1:{port}/pinterest_data" in str(raised.value)
    assert "PIN_SOURCE_URL" in str(raised.value)
    assert password not in "".join(traceback.format_exception(raised.value))


@pytest.mark.parametrize(
    "url",
    ["s3cret", "nosuch://u:s3cret@host/db", "mysql+pymysql://u:s3cret@host:port/db", "postgresql://u:s3cret@h/d", ""],
)
def test_source_error_omits_invalid_url(url: str) -> None:
    with pytest.raises(
        SourceError, match=r"invalid PIN_SOURCE_URL \(\w+\): expected a database URL such as sqlite:"
    ) as raised:
        SourceDatabase(url)
    assert "s3cret" not in str(raised.value)


def test_source_error_names_folder_that_cannot_be_created(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SourceError, match=r"cannot create folder .* of source database sqlite:"):
        SourceDatabase(f"sqlite:///{tmp_path / 'file' / 'folder' / 'source.db'}").load("geo", [])


def test_source_reading_creates_no_file_and_no_table(database: SourceDatabase, tmp_path: Path) -> None:
    assert database.is_empty()
    for read in (database.count, lambda record_type: list(database.rows(record_type, [0]))):
        with pytest.raises(SourceError, match=r"source database sqlite:.* does not exist: create and fill it with"):
            read("geo")
    assert list(tmp_path.iterdir()) == []
    file = tmp_path / "other.db"
    sqlite3.connect(file).close()
    other = SourceDatabase(f"sqlite:///{file}")
    assert other.is_empty()
    with pytest.raises(
        SourceError, match=r"table geolocation_data in source database sqlite:.* does not exist: create"
    ):
        other.count("geo")
    assert file.stat().st_size == 0


def test_source_tables_are_created_by_concurrent_loads(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'source.db'}"
    with ThreadPoolExecutor() as pool:
        for each in [pool.submit(SourceDatabase(url).load, "geo", [geo(ind)]) for ind in range(8)]:
            assert each.result() == LoadCounts(loaded=1)
    assert SourceDatabase(url).count("geo") == 8


def test_source_load_counts_across_batches_and_reports_progress(
    database: SourceDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(source, "BATCH_ROWS", 2)
    database.load("geo", [geo(0), geo(1)])
    progress: list[int] = []
    counts = database.load("geo", [geo(1), geo(2), geo(1), geo(3), geo(2)], progress.append)
    assert counts == LoadCounts(loaded=2, replaced=1, skipped=2)
    assert progress == [2, 4, 5]
    assert database.count("geo") == 4


@pytest.fixture
def untyped(database: SourceDatabase, tmp_path: Path) -> Iterator[sqlite3.Connection]:
    """Connection to a source database whose geolocations have columns of any type, without a primary key."""
    database.load("geo", [])
    connection = sqlite3.connect(tmp_path / "folder" / "source.db")
    connection.executescript(
        "drop table geolocation_data;"
        " create table geolocation_data (ind blob, timestamp blob, latitude blob, longitude blob, country blob)"
    )
    yield connection
    connection.close()


def store(untyped: sqlite3.Connection, **changes: object) -> None:
    row = {"ind": 7, "timestamp": "2018-03-01 12:30:05", "latitude": 1.5, "longitude": 2, "country": "Peru"} | changes
    untyped.execute("insert into geolocation_data values (?, ?, ?, ?, ?)", tuple(row.values()))
    untyped.commit()


SQLITE_VALUES = st.none() | st.text() | st.binary() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False)


@MANY_EXAMPLES
@given(column=st.sampled_from(["timestamp", "latitude", "country"]), value=SQLITE_VALUES)
@example(column="country", value=b"\x01")
@example(column="latitude", value=2**53 + 1)
@example(column="latitude", value=float("inf"))
@example(column="timestamp", value="2018-03-01T12:30:05.25Z")
@example(column="timestamp", value=1519907405)
def test_source_value_of_any_type_arrives_unchanged_or_is_refused(
    database: SourceDatabase, untyped: sqlite3.Connection, column: str, value: object
) -> None:
    untyped.execute("delete from geolocation_data")
    store(untyped, **{column: value})
    try:
        [row] = database.rows("geo", [0])
    except SourceError as error:
        assert re.search(  # noqa: PT017 - refused, or unchanged
            rf"^cannot read column {column} \(BLOB\) of the row with ind 7 of table geolocation_data in source database"
            r" sqlite:.*: expected .*, found .*",
            str(error),
        )
    else:
        assert row[column] == (
            datetime.fromisoformat(str(value)).replace(tzinfo=None) if column == "timestamp" else value
        )


def test_source_text_that_is_not_utf8_is_refused(database: SourceDatabase, untyped: sqlite3.Connection) -> None:
    store(untyped)
    untyped.execute("update geolocation_data set country = cast(x'4368696ce9' as text)")
    untyped.commit()
    with pytest.raises(SourceError, match=r"column country \(BLOB\) of the row with ind 7 .*, found X'4368696ce9'"):
        list(database.rows("geo", [0]))


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ([None, 1], r"has a row without a valid key in column ind \(BLOB\): expected a whole number .*, found null"),
        (["a", 1], r"has a row without a valid key in column ind \(BLOB\): expected a whole number .*, found \"a\""),
        ([1, 2, 2], "has two rows with ind 2: expected unique keys"),
    ],
)
def test_source_rows_without_a_unique_key_are_refused_at_once(
    database: SourceDatabase, untyped: sqlite3.Connection, keys: list[object], message: str
) -> None:
    for key in keys:
        store(untyped, ind=key)
    with pytest.raises(SourceError, match=f"table geolocation_data in source database sqlite:.* {message}"):
        database.rows("geo", [0])


def test_source_row_that_disappears_or_is_repeated_during_reading_is_named(
    database: SourceDatabase, untyped: sqlite3.Connection
) -> None:
    store(untyped)
    rows = database.rows("geo", [0])
    store(untyped)
    with pytest.raises(SourceError, match="has two rows with ind 7: expected unique keys"):
        next(rows)
    untyped.execute("delete from geolocation_data where rowid > 1")
    untyped.commit()
    rows = database.rows("geo", [0])
    untyped.execute("delete from geolocation_data")
    untyped.commit()
    with pytest.raises(SourceError, match="has no row with ind 7 any more"):
        next(rows)


def test_source_error_of_a_file_that_is_not_a_database_names_the_cause(tmp_path: Path) -> None:
    (tmp_path / "source.db").write_bytes(b"x" * 4_096)
    with pytest.raises(SourceError, match=r"source database sqlite:.*source.db failed: file is not a database$"):
        SourceDatabase(f"sqlite:///{tmp_path / 'source.db'}").count("geo")
