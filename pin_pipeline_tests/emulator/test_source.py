"""Source database on real SQLite."""

from __future__ import annotations

import socket
import traceback
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
from pin_pipeline.emulator.source import SourceDatabase, SourceError
from pin_pipeline.records import GEO, PIN, RECORD_TYPES
from pin_pipeline_tests.emulator.source_rows import MANY_EXAMPLES, geo


def test_source_tables_have_columns_in_stored_order_and_primary_key(database: SourceDatabase) -> None:
    for record_type in RECORD_TYPES.values():
        table = source.source_table(record_type, sa.MetaData())
        assert table.name == record_type.source_table
        assert [column.name for column in table.columns] == [field.name for field in record_type.fields]
        assert [column.name for column in table.primary_key] == [record_type.key]
        assert database.count(record_type.name) == 0


def test_source_tables_mysql_types_hold_every_value() -> None:
    ddl = [
        str(CreateTable(source.source_table(record_type, sa.MetaData())).compile(dialect=mysql.dialect()))
        for record_type in (PIN, GEO)
    ]
    assert "`index` INTEGER NOT NULL" in ddl[0]
    assert "AUTO_INCREMENT" not in ddl[0]
    assert "title TEXT" in ddl[0]
    assert "timestamp DATETIME(6) NOT NULL" in ddl[1]
    assert "latitude DOUBLE NOT NULL" in ddl[1]
    assert all("CHARSET=utf8mb4" in statement for statement in ddl)


def test_source_load_replaces_rows_of_same_key(database: SourceDatabase) -> None:
    assert database.load("geo", [geo(1), geo(2)]) == 2
    assert database.load("geo", [geo(2, "Chile"), geo(3), geo(3, "Cuba")]) == 3
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
        SourceError, match=r"source database sqlite:.* failed: .*NOT NULL constraint failed.*; check that it is running"
    ):
        database.load("geo", [geo(1), geo(2) | {"latitude": None}])
    assert database.count("geo") == 0


def test_source_error_names_unreachable_database_without_password() -> None:
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
def test_source_error_omits_invalid_url(url: str) -> None:
    with pytest.raises(
        SourceError, match=r"invalid PIN_SOURCE_URL \(\w+\): expected a database URL such as sqlite:"
    ) as raised:
        SourceDatabase(url)
    assert "s3cret" not in str(raised.value)


def test_source_error_names_folder_that_cannot_be_created(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SourceError, match=r"cannot create folder .* of source database sqlite:"):
        SourceDatabase(f"sqlite:///{tmp_path / 'file' / 'folder' / 'source.db'}")
