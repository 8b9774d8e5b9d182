"""Source database on a real MariaDB: the tables that the pipeline creates, and its exports."""

from __future__ import annotations

import shutil
import subprocess
from datetime import datetime
from itertools import count
from pathlib import Path

import pytest

from pin_pipeline.emulator.delimited import Dialect
from pin_pipeline.emulator.emulator import SendCounts, emulate
from pin_pipeline.emulator.files import RowError, SourceRow
from pin_pipeline.emulator.sampling import Draws
from pin_pipeline.emulator.sinks import FileSink
from pin_pipeline.emulator.source import SourceDatabase
from pin_pipeline.emulator.source_tables import LoadCounts, SourceError
from pin_pipeline.records import RECORD_TYPES
from pin_pipeline_tests.emulator.mariadb_server import MariaDbServer, needs_mariadb
from pin_pipeline_tests.emulator.source_rows import geo
from pin_pipeline_tests.helpers.rows import pin, user

pytestmark = needs_mariadb
NAMES = count()


@pytest.fixture
def mariadb_source(mariadb: MariaDbServer) -> SourceDatabase:
    """Source database without tables."""
    mariadb.execute(*(f"drop table if exists {record_type.source_table}" for record_type in RECORD_TYPES.values()))
    return SourceDatabase(mariadb.url())


def test_mariadb_source_reads_same_rows_as_sqlite(
    mariadb_source: SourceDatabase, filled_database: SourceDatabase, tmp_path: Path
) -> None:
    for record_type in RECORD_TYPES:
        rows = filled_database.rows(record_type, range(2_000))
        assert mariadb_source.load(record_type, rows) == LoadCounts(loaded=2_000)
        assert mariadb_source.count(record_type) == 2_000
        positions = [0, 1_999, 7, 7, 1_000]
        assert list(mariadb_source.rows(record_type, positions)) == list(filled_database.rows(record_type, positions))
    draws = Draws(150, last_row=1_999)
    for name, source in {"mariadb": mariadb_source, "sqlite": filled_database}.items():
        counts = emulate(source, FileSink(tmp_path / name), draws, lambda _: None)
        assert counts == dict.fromkeys(RECORD_TYPES, SendCounts(150, 150, 0))
    for record_type in RECORD_TYPES:
        sent = [(tmp_path / name / f"{record_type}.jsonl").read_bytes() for name in ("mariadb", "sqlite")]
        assert sent[0] == sent[1]


def test_mariadb_source_preserves_long_text_unicode_and_fractional_seconds(mariadb_source: SourceDatabase) -> None:
    texts = ["👩🏽‍🎨 ﷽", "'; drop table user_data; --", "a\0b", "", None, "é" * 200_000, "trailing space ", "\\N", "%s"]
    joined = datetime.fromisoformat("2016-02-29 21:26:45.123456")
    rows = [user(ind, first_name=text, date_joined=joined) for ind, text in enumerate(texts)]
    assert mariadb_source.load("user", rows) == LoadCounts(loaded=len(rows))
    assert list(mariadb_source.rows("user", range(len(rows)))) == rows


def test_mariadb_source_load_counts_replaced_and_skipped_rows(mariadb_source: SourceDatabase) -> None:
    assert mariadb_source.load("geo", [geo(1), geo(2)]) == LoadCounts(loaded=2)
    assert mariadb_source.load("geo", [geo(2, "Chile"), geo(3), geo(3, "Cuba")]) == LoadCounts(1, 1, 1)
    assert [row["country"] for row in mariadb_source.rows("geo", range(3))] == ["Peru", "Chile", "Cuba"]


def test_mariadb_source_error_omits_wrong_password(mariadb: MariaDbServer) -> None:
    with pytest.raises(SourceError, match=r"cannot connect to source database .*: Access denied") as error:
        SourceDatabase(mariadb.url("not-the-password")).count("pin")
    assert "not-the-password" not in str(error.value)


def test_mariadb_source_reading_creates_no_table(mariadb: MariaDbServer, mariadb_source: SourceDatabase) -> None:
    assert mariadb_source.is_empty()
    with pytest.raises(
        SourceError, match=r"table pinterest_data in source database .* does not exist: create and fill"
    ):
        emulate(mariadb_source, FileSink(Path("nowhere")), Draws(1), lambda _: None)
    with mariadb.root.connect() as connection:
        assert connection.exec_driver_sql("show tables").all() == []


@pytest.mark.parametrize(
    ("column", "row", "message"),
    [
        ("country varchar(4)", geo(7, "Zanzibar"), r"Data too long for column 'country'.*country is varchar\(4\)"),
        ("country text character set latin1", geo(7, "日本"), r"Incorrect string value: .*country is text"),
        ("country text not null", geo(7, None), r"'country' cannot be null.*country is text"),
        ("country enum('Peru')", geo(7, "Cuba"), r"Data truncated for column 'country'.*country is enum\('Peru'\)"),
        ("latitude decimal(3,1)", geo(7) | {"latitude": 170.25}, r"Out of range value for column 'latitude'.*decimal"),
        ("ind tinyint", geo(700), r"Out of range value for column 'ind'.*ind is tinyint"),
        ("country text check (country <> 'Cuba')", geo(7, "Cuba"), r"CONSTRAINT `geolocation_data.country` failed"),
    ],
)
@pytest.mark.parametrize("sql_mode", ["", "STRICT_TRANS_TABLES"])
def test_mariadb_source_load_names_column_type_and_row_that_the_table_refuses(
    mariadb: MariaDbServer, column: str, row: SourceRow, message: str, sql_mode: str
) -> None:
    mariadb.execute(f"set global sql_mode = '{sql_mode}'")
    try:
        create_geo_table(mariadb, column)
        key = row["ind"]
        with pytest.raises(
            SourceError, match=rf"table geolocation_data in .* refused the row with ind {key}: .*{message}"
        ):
            SourceDatabase(mariadb.url()).load("geo", [geo(1), row, geo(2)])
        assert SourceDatabase(mariadb.url()).count("geo") == 0
    finally:
        mariadb.execute("set global sql_mode = default")


@pytest.mark.parametrize(
    ("column", "changes", "stored"),
    [
        ("latitude float", {"latitude": 0.1}, "0.10000000149011612"),
        ("latitude decimal(5,1)", {"latitude": 1.25}, "1.3"),
        ("timestamp datetime", {"timestamp": datetime.fromisoformat("2018-03-01 12:30:05.6")}, "12:30:0"),
        ("country char(20)", {"country": "Peru "}, '"Peru"'),
    ],
)
def test_mariadb_source_load_refuses_a_value_that_the_table_changes(
    mariadb: MariaDbServer, column: str, changes: SourceRow, stored: str
) -> None:
    create_geo_table(mariadb, column)
    name, type_ = column.split(maxsplit=1)
    with pytest.raises(SourceError) as error:
        SourceDatabase(mariadb.url()).load("geo", [geo(1) | changes])
    for part in ("table geolocation_data in", f"column {name} ({type_})", "row with ind 1", stored):
        assert part in str(error.value)
    assert SourceDatabase(mariadb.url()).count("geo") == 0


def create_geo_table(mariadb: MariaDbServer, column: str) -> None:
    """Create the table of the geolocations with another definition of one column."""
    columns = {
        "ind": "ind int",
        "timestamp": "timestamp datetime(6)",
        "latitude": "latitude double",
        "longitude": "longitude double",
        "country": "country text",
    }
    columns[column.split(maxsplit=1)[0]] = column
    mariadb.execute(
        "drop table if exists geolocation_data",
        f"create table geolocation_data ({', '.join(columns.values())}) character set utf8mb4",
    )


TEXTS = [
    None,
    "C:\\temp\\new",
    "\\\\server\\0",
    'say "hi"',
    "a,b",
    "tab\there",
    "two\nlines",
    "carriage\r\nreturn",
    "nul\0",
    "\\",
    '"',
    "",
    " spaces ",
    "日本 👩🏽‍🎨",
    "\\N",
]
COMMAS = "fields terminated by ',' optionally enclosed by '\"' escaped by '\\\\' lines terminated by '\\n'"
FORMATS = {
    "commas, text in quotes": (",", COMMAS),
    "commas, all in quotes": (",", COMMAS.replace("optionally ", "")),
    "tabs": ("\t", ""),
}


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("dialect", [None, Dialect.MYSQL])
def test_mariadb_export_into_outfile_is_loaded_unchanged(
    mariadb: MariaDbServer,
    mariadb_source: SourceDatabase,
    database: SourceDatabase,
    name: str,
    dialect: Dialect | None,
) -> None:
    separator, options = FORMATS[name]
    rows = [pin(ind, title=text, description="" if text is None else text) for ind, text in enumerate(TEXTS)]
    mariadb_source.load("pin", rows)
    path = export(mariadb, separator, options)
    assert database.load_file("pin", path, dialect) == LoadCounts(loaded=len(TEXTS))
    assert list(database.rows("pin", range(len(TEXTS)))) == rows


@pytest.mark.parametrize("text", [text for text in TEXTS if text is not None])
@pytest.mark.parametrize("name", FORMATS)
def test_mariadb_export_without_null_is_loaded_unchanged_or_refused(
    mariadb: MariaDbServer, mariadb_source: SourceDatabase, database: SourceDatabase, name: str, text: str
) -> None:
    row = pin(1, title=text)
    mariadb_source.load("pin", [row])
    path = export(mariadb, *FORMATS[name])
    try:
        database.load_file("pin", path)
    except RowError as error:
        assert "--dialect" in str(error)  # noqa: PT017 - refused, or loaded
    else:
        assert list(database.rows("pin", [0])) == [row]


def export(mariadb: MariaDbServer, separator: str, options: str) -> Path:
    """Export the pins to a file that has the column names in the first line."""
    exported, path = mariadb.folder / f"{next(NAMES)}", mariadb.folder / f"{next(NAMES)}.csv"
    mariadb.execute(f"select * from pinterest_data into outfile '{exported}' character set utf8mb4 {options}")  # noqa: S608 - from this module
    header = separator.join(pin().keys()).encode()
    path.write_bytes(header + b"\n" + exported.read_bytes())
    return path


@pytest.mark.skipif(not shutil.which("mariadb"), reason="the client of MariaDB is not installed")
def test_mariadb_export_of_the_batch_client_is_loaded_unchanged(
    mariadb: MariaDbServer, mariadb_source: SourceDatabase, database: SourceDatabase
) -> None:
    texts = [text for text in TEXTS if text is not None]
    rows = [pin(ind, title=text) for ind, text in enumerate(texts)]
    mariadb_source.load("pin", rows)
    path = mariadb.folder / f"{next(NAMES)}.tsv"
    path.write_bytes(batch_output(mariadb))
    assert database.load_file("pin", path, Dialect.MYSQL) == LoadCounts(loaded=len(rows))
    assert list(database.rows("pin", range(len(rows)))) == rows

    mariadb.execute("update pinterest_data set title = null where `index` = 0")
    path.write_bytes(batch_output(mariadb))
    for dialect in (None, Dialect.MYSQL):
        with pytest.raises(RowError, match=r"line 2: NULL is either null or text in a file with tabs"):
            database.load_file("pin", path, dialect)


def batch_output(mariadb: MariaDbServer) -> bytes:
    command = ["mariadb", "--no-defaults", "--batch", "--user=root", "--host=127.0.0.1", f"--port={mariadb.port}"]
    statement = "select * from pinterest_data order by `index`"
    return subprocess.run(
        [*command, "--default-character-set=utf8mb4", f"--execute={statement}", "pinterest_data"],
        check=True,
        capture_output=True,
    ).stdout
