"""Source tables with any column type of MariaDB: a value arrives unchanged, or one sentence names its place."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from pathlib import Path

import orjson
import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pin_pipeline.emulator.emulator import emulate
from pin_pipeline.emulator.sampling import Draws
from pin_pipeline.emulator.sinks import FileSink
from pin_pipeline.emulator.source import SourceDatabase
from pin_pipeline.emulator.source_tables import SourceError
from pin_pipeline.records import RECORD_TYPES
from pin_pipeline_tests.emulator.mariadb_server import MariaDbServer, needs_mariadb

pytestmark = needs_mariadb
FEW_EXAMPLES = settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)

COLUMN_OF_FIELD = {"Text": "country", "Number": "latitude", "Timestamp": "timestamp", "Integer": "ind"}
LITERALS = {
    "tinyint": ["-128", "127"],
    "tinyint(1)": ["0", "1"],
    "smallint unsigned": ["65535"],
    "mediumint": ["-8388608"],
    "int": ["-2147483647", "0"],
    "int(8) unsigned zerofill": ["42", "4294967295"],
    "bigint": ["9007199254740993", "-9223372036854775808", "7"],
    "bigint unsigned": ["18446744073709551615"],
    "decimal(10,0)": ["12", "-3"],
    "decimal(10,4)": ["170.1234", "-0.5000", "3"],
    "decimal(65,30)": ["0.123456789012345678901234567890", "0.5", "12345678901234567890123456789012345"],
    "float": ["0.1", "16777216", "-123456.789", "3.4e38"],
    "float(7,2)": ["12345.67"],
    "double": ["0.1", "1.7976931348623157e308", "-88.52740000000001", "5e-324", "-0e0"],
    "double(20,2)": ["123456789012345678.12", "0.1"],
    "bit(1)": ["b'1'", "b'0'"],
    "bit(64)": ["b'1011'"],
    "boolean": ["true"],
    "date": ["'2018-03-01'", "'0000-00-00'"],
    "time": ["'12:30:05'", "'-838:59:59'"],
    "time(6)": ["'00:00:00.000001'"],
    "year": ["2018", "0"],
    "datetime": ["'2018-03-01 12:30:05'", "'0000-00-00 00:00:00'", "'2018-00-01 00:00:00'", "'9999-12-31 23:59:59'"],
    "datetime(3)": ["'2018-03-01 12:30:05.123'"],
    "datetime(6)": ["'0001-01-01 00:00:00.000001'"],
    "timestamp": ["'2018-03-01 12:30:05'"],
    "timestamp(6)": ["'2018-03-01 12:30:05.123456'"],
    "char(10)": ["'Peru'", "'trailing '"],
    "varchar(100)": ["'Peru '", "''", "'12'", "'2018-03-01 12:30:05'"],
    "text": ["'NULL'", r"'\\N'", "'2018-02-30 00:00:00'"],
    "tinytext character set latin1": ["'Réunion'"],
    "text character set utf16": ["'日本 👩🏽'"],
    "text character set utf8mb4 collate utf8mb4_bin": ["'a\\0b'"],
    "longtext": ["repeat('é', 200000)", "repeat('x', 1048577)"],
    "binary(4)": ["'ab'"],
    "varbinary(10)": ["x'ff00'"],
    "blob": ["'text'", "x''"],
    "longblob": ["x'00'"],
    "enum('Peru','Côte d\\'Ivoire','')": ["'Peru'", "'Côte d\\'Ivoire'"],
    "set('a','b')": ["'a,b'", "''"],
    "json": ["'{\"a\": [1, 2.50]}'", "'null'"],
    "uuid": ["'123e4567-e89b-12d3-a456-426655440000'"],
    "inet4": ["'10.0.0.1'"],
    "inet6": ["'2001:db8::1'"],
    "geometry": ["point(1, 2)"],
}


@pytest.fixture
def source(mariadb: MariaDbServer) -> SourceDatabase:
    mariadb.execute("drop table if exists geolocation_data")  # that of another test has a column of another type
    return SourceDatabase(mariadb.url())


def store(mariadb: MariaDbServer, column: str, type_: str, literal: str) -> None:
    """Create the table of the geolocations with one row, whose value in one column has another type."""
    types = {"ind": "int", "timestamp": "datetime(6)", "latitude": "double", "longitude": "double", "country": "text"}
    values = {
        "ind": "7",
        "timestamp": "'2018-03-01 12:30:05'",
        "latitude": "1.5",
        "longitude": "2",
        "country": "'Peru'",
    }
    columns = ", ".join(f"{name} {type_ if name == column else default}" for name, default in types.items())
    literals = ", ".join(literal if name == column else default for name, default in values.items())
    mariadb.execute(
        "set sql_mode = ''",
        "set time_zone = '+00:00'",
        "drop table if exists geolocation_data",
        f"create table geolocation_data ({columns}) character set utf8mb4",
        f"insert into geolocation_data values ({literals})",  # noqa: S608 - from this module
    )


def read_or_check_error(source: SourceDatabase, column: str, key: str = "7") -> list[object]:
    """Return the value of the only row; or none, if one sentence names its table, column, type and row."""
    try:
        [row] = source.rows("geo", [0])
    except SourceError as error:
        message = str(error)
        assert "table geolocation_data in source database mysql" in message
        assert f"column {column} (" in message
        assert f"row with ind {key} " in message or (column == "ind" and "row without a valid key" in message)
        assert "\n" not in message
        return []
    return [row[column]]


def is_equal(connection: sa.Connection, column: str, value: object) -> bool:
    """Ask the database whether the value of the only row is the given one, in every digit and byte."""
    match value:
        case None:
            condition = f"{column} is null"
        case str():
            condition = f"binary convert({column} using utf8mb4) = binary :value"
        case datetime():
            condition = f"timestamp({column}) = :value"
        case float():
            text = connection.scalar(sa.text(f"select cast({column} as char) from geolocation_data"))  # noqa: S608 - from this module
            type_ = connection.scalar(
                sa.text(
                    "select data_type from information_schema.columns"
                    " where table_schema = database() and table_name = 'geolocation_data' and column_name = :column"
                ),
                {"column": column},
            )
            if type_ not in {"float", "double"}:
                return Decimal(str(text)) == Decimal(repr(value))
            condition = f"{column} = {value!r}" if "e" in repr(value) else f"{column} = {value!r}e0"
        case _:
            condition = f"{column} = :value"
    statement = f"select count(*) from geolocation_data where {condition}"  # noqa: S608 - from this module
    return bool(connection.scalar(sa.text(statement), {"value": value} if ":value" in condition else {}) == 1)


@pytest.mark.parametrize("column", COLUMN_OF_FIELD.values(), ids=COLUMN_OF_FIELD)
@pytest.mark.parametrize("type_", LITERALS)
def test_mariadb_value_of_any_type_arrives_unchanged_or_is_refused(
    mariadb: MariaDbServer, source: SourceDatabase, column: str, type_: str
) -> None:
    for literal in [*LITERALS[type_], "null"]:
        store(mariadb, column, type_, literal)
        with mariadb.root.connect() as connection:
            connection.exec_driver_sql("set time_zone = '+00:00'")
            for value in read_or_check_error(source, column):
                assert is_equal(connection, column, value), (literal, value)


@pytest.mark.parametrize(
    ("column", "type_", "literal", "expected"),
    [
        ("country", "varchar(100)", "'Peru '", "Peru "),
        ("country", "enum('Peru','Cuba')", "'Cuba'", "Cuba"),
        ("country", "set('a','b')", "'a,b'", "a,b"),
        ("country", "json", "'{\"a\": [1, 2.50]}'", '{"a": [1, 2.50]}'),
        ("country", "text character set utf16", "'日本 👩🏽'", "日本 👩🏽"),
        ("latitude", "float", "0.1", 0.10000000149011612),
        ("latitude", "float", "16777217", 16777216.0),
        ("latitude", "decimal(10,4)", "170.1234", 170.1234),
        ("latitude", "int", "42", 42.0),
        ("ind", "bigint unsigned", "42", 42),
        ("ind", "decimal(10,2)", "42", 42),
        ("timestamp", "timestamp", "'2018-03-01 12:30:05'", datetime.fromisoformat("2018-03-01 12:30:05")),
        ("timestamp", "text", "'2018-03-01T12:30:05+02:00'", datetime.fromisoformat("2018-03-01 10:30:05")),
    ],
)
def test_mariadb_value_with_a_lossless_form_arrives_unchanged(
    mariadb: MariaDbServer, source: SourceDatabase, column: str, type_: str, literal: str, expected: object
) -> None:
    mariadb.execute("set global time_zone = '-05:00'")
    try:
        store(mariadb, column, type_, literal)
        [row] = source.rows("geo", [0])
    finally:
        mariadb.execute("set global time_zone = default")
    assert (row[column], type(row[column])) == (expected, type(expected))


@pytest.mark.parametrize(
    ("column", "type_", "literal", "message"),
    [
        (
            "country",
            "bit(1)",
            "b'1'",
            r"column country \(bit\(1\)\) of the row with ind 7 .* text or null, found X'01'",
        ),
        ("country", "date", "'2018-03-01'", r"column country \(date\) .* found date 2018-03-01"),
        ("country", "blob", "'text'", r"column country \(blob\) .* found X'74657874'"),
        ("country", "int", "12", r"column country \(int\(11\)\) .* found 12"),
        ("country", "time", "'12:30:05'", r"column country \(time\) .* found timedelta 12:30:05"),
        ("latitude", "decimal(20,19)", "0.1234567890123456789", r"a number that a double represents exactly"),
        ("latitude", "bigint", "9007199254740993", "a number that a double represents exactly"),
        ("latitude", "double", "null", "expected a number, found null"),
        ("timestamp", "date", "'2018-03-01'", r"expected a timestamp .* found date 2018-03-01"),
        ("timestamp", "datetime", "'0000-00-00 00:00:00'", r'found "0000-00-00 00:00:00"'),
        ("ind", "int", "null", r"has a row without a valid key in column ind \(int\(11\)\): .* found null"),
        ("ind", "varchar(9)", "'x'", r"has a row without a valid key in column ind \(varchar\(9\)\): .* found \"x\""),
    ],
)
def test_mariadb_value_without_a_lossless_form_is_refused(
    mariadb: MariaDbServer, source: SourceDatabase, column: str, type_: str, literal: str, message: str
) -> None:
    store(mariadb, column, type_, literal)
    with pytest.raises(SourceError, match=message):
        list(source.rows("geo", [0]))


@FEW_EXAMPLES
@given(value=st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**30), max_value=10**30, places=20))
def test_mariadb_decimal_arrives_unchanged_or_is_refused(
    mariadb: MariaDbServer, source: SourceDatabase, value: Decimal
) -> None:
    store(mariadb, "latitude", "decimal(65,20)", f"{value:f}")
    for found in read_or_check_error(source, "latitude"):
        assert Decimal(orjson.dumps(found).decode()) == value


@FEW_EXAMPLES
@given(value=st.floats(allow_nan=False, allow_infinity=False))
def test_mariadb_double_arrives_unchanged(mariadb: MariaDbServer, source: SourceDatabase, value: float) -> None:
    store(mariadb, "latitude", "double", repr(value) if "e" in repr(value) else f"{value!r}e0")
    assert read_or_check_error(source, "latitude") == [value]  # MariaDB does not show the sign of zero


@FEW_EXAMPLES
@given(value=st.floats(allow_nan=False, allow_infinity=False, width=32))
def test_mariadb_float_arrives_unchanged(mariadb: MariaDbServer, source: SourceDatabase, value: float) -> None:
    store(mariadb, "latitude", "float", repr(value) if "e" in repr(value) else f"{value!r}e0")
    assert read_or_check_error(source, "latitude") == [value]


@FEW_EXAMPLES
@given(
    value=st.datetimes(min_value=datetime.fromisoformat("0001-01-01"), max_value=datetime.fromisoformat("9999-12-31"))
)
def test_mariadb_datetime_arrives_unchanged(mariadb: MariaDbServer, source: SourceDatabase, value: datetime) -> None:
    store(mariadb, "timestamp", "datetime(6)", f"'{value}'")
    assert read_or_check_error(source, "timestamp") == [value]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("(null), (1)", r"has a row without a valid key in column ind \(int\(11\)\): .* found null"),
        ("(1), (2), (2)", "has two rows with ind 2: expected unique keys"),
    ],
)
def test_mariadb_rows_without_a_unique_key_are_refused_before_any_is_sent(
    mariadb: MariaDbServer,
    source: SourceDatabase,
    filled_database: SourceDatabase,
    rows: str,
    message: str,
    tmp_path: Path,
) -> None:
    for record_type in RECORD_TYPES:
        source.load(record_type, filled_database.rows(record_type, range(3)))
    store(mariadb, "ind", "int", "0")
    mariadb.execute(
        "delete from geolocation_data",
        f"insert into geolocation_data (ind) values {rows}",  # noqa: S608 - from this module
        "update geolocation_data set timestamp = '2018-03-01', latitude = 1, longitude = 1",
    )
    with pytest.raises(SourceError, match=f"table geolocation_data in .* {message}"):
        emulate(source, FileSink(tmp_path), Draws(3, last_row=1), lambda _: None)
    assert not list(tmp_path.iterdir())


def test_mariadb_table_without_primary_key_is_read_if_its_keys_are_unique(
    mariadb: MariaDbServer, source: SourceDatabase
) -> None:
    store(mariadb, "ind", "bigint", "2")
    mariadb.execute(
        "insert into geolocation_data select 1, timestamp, latitude, longitude, country from geolocation_data"
    )
    assert [row["ind"] for row in source.rows("geo", [0, 1])] == [1, 2]


def test_mariadb_table_without_a_column_of_the_record_type_is_named(
    mariadb: MariaDbServer, source: SourceDatabase
) -> None:
    store(mariadb, "ind", "int", "7")
    mariadb.execute("alter table geolocation_data drop column latitude")
    with pytest.raises(
        SourceError, match=r"table geolocation_data in .* has no column latitude: expected columns ind,"
    ):
        source.count("geo")
