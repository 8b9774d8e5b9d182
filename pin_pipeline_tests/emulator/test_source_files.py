"""Loading of source rows from files, on real SQLite."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from itertools import count
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pin_pipeline.emulator import source
from pin_pipeline.emulator.files import RowError
from pin_pipeline.emulator.source import SourceDatabase
from pin_pipeline.emulator.source_tables import LoadCounts
from pin_pipeline.records import PIN
from pin_pipeline_tests.emulator.source_rows import MANY_EXAMPLES, geo, geo_line


@pytest.fixture
def load_lines(database: SourceDatabase, tmp_path: Path) -> Callable[..., LoadCounts]:
    names = count()

    def load(*lines: str | bytes, record_type: str = "geo") -> LoadCounts:
        path = tmp_path / f"{record_type}{next(names)}.jsonl"
        path.write_bytes(b"\n".join(line if isinstance(line, bytes) else line.encode() for line in lines))
        return database.load_file(record_type, path)

    return load


@MANY_EXAMPLES
@given(country=st.text(), ascii_only=st.booleans())
@example(country="NUL \0, quotes '\"`, emoji 👩🏽‍🎨, \\ and \u2028", ascii_only=False)
def test_source_file_json_lines_text_is_preserved(
    database: SourceDatabase, load_lines: Callable[..., LoadCounts], country: str, ascii_only: bool
) -> None:
    assert load_lines(json.dumps(json.loads(geo_line()) | {"country": country}, ensure_ascii=ascii_only)).skipped == 0
    assert next(database.rows("geo", [0]))["country"] == country


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2018-03-01 12:30:05", (2018, 3, 1, 12, 30, 5)),
        ("2018-03-01T12:30:05", (2018, 3, 1, 12, 30, 5)),
        ("2018-03-01T12:30:05.25Z", (2018, 3, 1, 12, 30, 5, 250_000)),
        ("2018-03-01T00:30:05+02:00", (2018, 2, 28, 22, 30, 5)),
    ],
)
def test_source_file_timestamps_are_stored_in_utc(
    database: SourceDatabase, load_lines: Callable[..., LoadCounts], text: str, expected: tuple[int, ...]
) -> None:
    load_lines(geo_line(timestamp=text))
    stored = next(database.rows("geo", [0]))["timestamp"]
    assert isinstance(stored, datetime)
    assert stored.tzinfo is None
    assert (*stored.timetuple()[:6], *([stored.microsecond] if stored.microsecond else [])) == expected


def test_source_file_blank_lines_are_skipped_and_optional_fields_may_be_missing(
    database: SourceDatabase, load_lines: Callable[..., LoadCounts]
) -> None:
    texts = {field.name: "x" for field in PIN.fields if field.required}
    line = json.dumps(texts | {"index": 5, "downloaded": 1})
    assert load_lines("", line, "  ", record_type="pin") == LoadCounts(loaded=1)
    assert next(database.rows("pin", [0])) == texts | {
        "index": 5,
        "downloaded": 1,
        "description": None,
        "poster_name": None,
    }


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", "expected a geo row as a JSON object, found invalid JSON"),
        (b'{"country": "\xff"}', "found invalid JSON"),
        (r'{"country": "\ud800"}', "found invalid JSON"),
        ("[1]", r"expected a geo row as a JSON object, found \[1\]"),
        (geo_line(colour="red"), "unknown field 'colour': expected the columns of geolocation_data"),
        (json.dumps({"ind": 1}), "missing field 'timestamp'"),
        (geo_line(ind="1"), "field 'ind': expected a whole number of at most 2147483647, found \"1\""),
        (geo_line(ind=True), "field 'ind': expected a whole number"),
        (geo_line(ind=1.0), "field 'ind': expected a whole number"),
        (geo_line(ind=2**31), "field 'ind': expected a whole number"),
        (geo_line(ind=None), "field 'ind': expected a whole number .*, found null"),
        (geo_line(latitude="1.5"), "field 'latitude': expected a number, found \"1.5\""),
        (geo_line(latitude=float("nan")), "found invalid JSON"),
        (geo_line(country=["Peru"]), r"field 'country': expected text or null, found \[\"Peru\"\]"),
        (geo_line(timestamp="yesterday"), "field 'timestamp': expected a timestamp as YYYY-MM-DD HH:MM:SS or ISO 8601"),
        (geo_line(timestamp="2018-02-30 00:00:00"), "field 'timestamp': expected a timestamp"),
        (geo_line(timestamp="2018-02-03"), "field 'timestamp': expected a timestamp"),
        (geo_line(timestamp="0001-01-01T00:00:00+10:00"), "field 'timestamp': expected a timestamp"),
        (geo_line(timestamp=1519907405), "field 'timestamp': expected a timestamp .*, found 1519907405"),
        (geo_line(timestamp="x" * 200), 'found "x{79}…;'),
        (geo_line()[:-1] + ', "ind": 2}', "field 'ind' occurs twice"),
        (
            geo_line().replace("2.5", "0.12345678901234567890"),
            "field 'longitude': expected a number that a double represents exactly, found 0.12345678901234567890",
        ),
        (geo_line(latitude=2**53 + 1), "field 'latitude': expected a number that a double represents exactly"),
        (geo_line(country="é" * (2**19 + 1)), "field 'country': expected text of at most 1048576 bytes"),
    ],
)
def test_source_file_invalid_json_line_is_named_and_nothing_is_loaded(
    database: SourceDatabase, load_lines: Callable[..., LoadCounts], line: str | bytes, message: str
) -> None:
    database.load("geo", [geo(1, "Chile")])
    with pytest.raises(RowError, match=rf"geo0\.jsonl, line 3: .*{message}"):
        load_lines(geo_line(ind=1), geo_line(ind=2), line)
    assert [row["country"] for row in database.rows("geo", range(database.count("geo")))] == ["Chile"]


def test_source_file_error_after_many_batches_loads_nothing(
    database: SourceDatabase, load_lines: Callable[..., LoadCounts], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(source, "BATCH_ROWS", 2)
    with pytest.raises(RowError, match="line 8"):
        load_lines(*(geo_line(ind=ind) for ind in range(7)), "{")
    assert database.count("geo") == 0


def test_source_file_csv_is_equivalent_to_json_lines(database: SourceDatabase, tmp_path: Path) -> None:
    path = tmp_path / "geo.CSV"
    lines = [
        "\ufeffind,country,latitude,longitude,timestamp",
        '7,"Côte d\'Ivoire, ""x""\nsecond line",-1.5,2,2018-03-01 12:30:05',
        "8,\\N,1e1,0.25,2018-03-01T14:30:05+02:00",
        "9,,3,4,2018-03-01 12:30:05",
    ]
    path.write_text("\r\n".join(lines), encoding="utf-8", newline="")
    assert database.load_file("geo", path) == LoadCounts(loaded=3)
    timestamp = datetime.fromisoformat("2018-03-01 12:30:05")
    rows = [
        (7, timestamp, -1.5, 2, 'Côte d\'Ivoire, "x"\nsecond line'),
        (8, timestamp, 10, 0.25, None),
        (9, timestamp, 3, 4, ""),
    ]
    names = ("ind", "timestamp", "latitude", "longitude", "country")
    found = [tuple(row[name] for name in names) for row in database.rows("geo", range(3))]
    assert found == rows


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (b"2,Chile,north,2,2018-03-01 12:30:05", "line 3: field 'latitude': expected a number, found \"north\""),
        (b"2,Chile,,2,2018-03-01 12:30:05", "line 3: field 'latitude': expected a number"),
        (
            b"2,Chile,0.12345678901234567890,2,2018-03-01 12:30:05",
            "line 3: field 'latitude': expected a number that a double represents exactly, found 0.1234567890123456789",
        ),
        (b"2.5,Chile,1,2,2018-03-01 12:30:05", "line 3: field 'ind': expected a whole number"),
        (b"2,Chile,1,2", "line 3: 4 cells, expected 5 as in the first line"),
        (b"2,Chile,1,2,2018-03-01 12:30:05,x", "line 3: 6 cells, expected 5 as in the first line"),
        (b'2,"Chile', "line 3: misplaced quote or line break in cell 2"),
        (b'2,"Chile" x,1,2,2018-03-01 12:30:05', "line 3: misplaced quote or line break in cell 2"),
        (b'2,Chi"le,1,2,2018-03-01 12:30:05', "line 3: misplaced quote or line break in cell 2"),
        (b"2,Chi\rle,1,2,2018-03-01 12:30:05", "line 3: misplaced quote or line break in cell 2"),
        (b"2,Chil\xe9,1,2,2018-03-01 12:30:05", "line 3: expected UTF-8, found byte 0xe9"),
    ],
)
def test_source_file_invalid_csv_line_is_named_and_nothing_is_loaded(
    database: SourceDatabase, tmp_path: Path, line: bytes, message: str
) -> None:
    path = tmp_path / "geo.csv"
    path.write_bytes(b"ind,country,latitude,longitude,timestamp\n1,Peru,1,2,2018-03-01 12:30:05\n" + line + b"\n")
    with pytest.raises(RowError, match=rf"geo\.csv, {message}" if message.startswith("line") else message):
        database.load_file("geo", path)
    assert database.count("geo") == 0


def test_source_file_missing_is_named(database: SourceDatabase, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"nowhere\.jsonl"):
        database.load_file("geo", tmp_path / "nowhere.jsonl")


NAMES = "ind,country,latitude,longitude,timestamp"
ROW = "1,Peru,1,2,2018-03-01 12:30:05"


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ("," + NAMES, r"column 1 has no name \(exports of pandas need index=False\)"),
        (NAMES + ",", r"column 6 has no name \(the line ends with a separator\)"),
        (NAMES + ",ind", "column 'ind' occurs twice"),
        (NAMES.replace("latitude,", ""), "missing column 'latitude' of geolocation_data"),
        (NAMES.replace("country", r"\N"), "column 2 has no name"),
        (NAMES + ",colour", r"unknown column 'colour': expected the names of the columns of geolocation_data \(ind, "),
        (ROW, "unknown column '1': expected the names of the columns of geolocation_data"),
        (NAMES.replace(",", ";"), "unknown column 'ind;country;latitude;longitude;timestamp'"),
        ("", None),
    ],
)
@pytest.mark.parametrize("rows", ["", ROW + ",x\n"])
def test_source_file_csv_header_mistake_is_named_with_and_without_rows(
    database: SourceDatabase, tmp_path: Path, header: str, message: str | None, rows: str
) -> None:
    path = tmp_path / "geo.csv"
    path.write_text(f"{header}\n{rows if header.count(',') == ROW.count(',') + 1 else ''}")
    expected = rf"geo\.csv, line 1: {message}" if message else r"geo\.csv has no rows"
    with pytest.raises(RowError, match=expected):
        database.load_file("geo", path)


@pytest.mark.parametrize(
    ("name", "content"),
    [("geo.csv", ""), ("geo.csv", NAMES), ("geo.csv", NAMES + "\r\n\r\n"), ("geo.jsonl", ""), ("geo.jsonl", "\n  \n")],
)
def test_source_file_without_rows_is_an_error(
    database: SourceDatabase, tmp_path: Path, name: str, content: str
) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(RowError, match=rf"{name} has no rows: expected rows of geolocation_data"):
        database.load_file("geo", tmp_path / name)


@pytest.mark.parametrize("text", ["é" * 200_000, "x" * 2**20, '"' * 140_000])
def test_source_file_field_up_to_the_limit_of_a_record_is_loaded(
    database: SourceDatabase, tmp_path: Path, text: str
) -> None:
    path = tmp_path / "geo.csv"
    quoted = text.replace('"', '""')
    path.write_text(f'{NAMES}\n1,"{quoted}",1,2,2018-03-01 12:30:05\n')
    assert database.load_file("geo", path) == LoadCounts(loaded=1)
    assert next(database.rows("geo", [0]))["country"] == text


def test_source_file_rejected_rows_are_counted_and_none_is_stored(
    database: SourceDatabase, load_lines: Callable[..., LoadCounts]
) -> None:
    with pytest.raises(RowError, match=r"line 2: field 'ind': .*; no row was stored: 2 skipped, 3 rejected$"):
        load_lines(geo_line(), geo_line(ind="x"), geo_line(latitude=None), geo_line(), "{")
    assert database.count("geo") == 0


def test_source_file_json_lines_may_begin_with_a_byte_order_mark(
    load_lines: Callable[..., LoadCounts],
) -> None:
    assert load_lines(b"\xef\xbb\xbf" + geo_line().encode()) == LoadCounts(loaded=1)


@MANY_EXAMPLES
@given(latitude=st.floats(allow_nan=False, allow_infinity=False), places=st.none() | st.integers(0, 25))
@example(latitude=-88.52740000000001, places=None)
def test_source_file_number_is_loaded_unchanged_or_refused(
    database: SourceDatabase, tmp_path: Path, latitude: float, places: int | None
) -> None:
    text = repr(latitude) if places is None else f"{latitude:.{places}f}"
    (tmp_path / "geo.csv").write_text(f"{NAMES}\n1,Peru,{text},2,2018-03-01 12:30:05\n")
    (tmp_path / "geo.jsonl").write_text(geo_line(longitude=2).replace('"latitude": 1,', f'"latitude": {text},'))
    for name in ("geo.csv", "geo.jsonl"):
        try:
            database.load_file("geo", tmp_path / name)
        except RowError as error:
            assert "expected a number that a double represents exactly" in str(error)  # noqa: PT017 - or unchanged
            assert places is not None
        else:
            assert Decimal(repr(next(database.rows("geo", [0]))["latitude"])) == Decimal(text)
