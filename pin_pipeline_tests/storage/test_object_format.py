import base64
import json
from itertools import accumulate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pin_pipeline.storage.object_format import ObjectChunk, TopicRecord, chunk_records

json_lines = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(st.characters(codec="utf-8")),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(st.characters(codec="utf-8")), inner, max_size=3)
    ),
    max_leaves=5,
).map(lambda value: json.dumps(value, ensure_ascii=False).encode())
values = st.none() | st.binary(max_size=30) | json_lines
gaps = st.integers(1, 3)
records = st.lists(st.tuples(gaps, values), max_size=40).map(
    lambda pairs: [
        TopicRecord(offset, 0, value)
        for offset, (_, value) in zip(
            accumulate((gap for gap, _ in pairs), initial=-1), [(0, None), *pairs], strict=True
        )
    ][1:]
)


def read_back(chunk: ObjectChunk) -> list[tuple[int, bytes | None]]:
    """Read offsets and values from the bytes of an object."""
    lines = chunk.body.removesuffix(b"\n").split(b"\n")
    if chunk.area == "topics":
        return list(enumerate(lines, chunk.first_offset))
    records = [json.loads(line) for line in lines]
    found = [(r["offset"], None if r["base64"] is None else base64.b64decode(r["base64"])) for r in records]
    assert [offset for offset, _ in found] == list(range(chunk.first_offset, chunk.next_offset))
    return found


@given(records, st.integers(1, 10), st.integers(1, 200))
def test_chunk_records_keeps_every_offset_and_value(
    given_records: list[TopicRecord], max_records: int, max_bytes: int
) -> None:
    chunks = chunk_records(given_records, max_records, max_bytes)
    written = [(offset, value, chunk.area) for chunk in chunks for offset, value in read_back(chunk)]
    assert len(written) == len(given_records)
    for (offset, value, area), record in zip(written, given_records, strict=True):
        one_line = record.value and record.value.replace(b"\n", b" ")
        assert (offset, value) == (record.offset, one_line if area == "topics" else record.value)


@given(records, st.integers(1, 10))
def test_chunk_records_limits_records_per_object(given_records: list[TopicRecord], max_records: int) -> None:
    assert all(len(chunk.lines) <= max_records for chunk in chunk_records(given_records, max_records))


@given(records, st.integers(0, 40))
def test_chunk_records_resumes_after_any_object(given_records: list[TopicRecord], stop: int) -> None:
    whole = list(chunk_records(given_records, max_records=4))
    written = whole[:stop]
    position = written[-1].next_offset if written else 0
    rest = chunk_records([record for record in given_records if record.offset >= position], max_records=4)
    assert [*written, *rest] == whole


@pytest.mark.parametrize("value", [b'{\n  "a": "\\n"\r\n}', b"{\n"])
def test_chunk_records_encodes_values_that_are_not_a_json_line(value: bytes) -> None:
    (chunk,) = chunk_records([TopicRecord(7, 5, value)])
    assert (chunk.area, chunk.first_offset) == ("encoded", 7)
    assert json.loads(chunk.body) == {
        "offset": 7,
        "timestamp": 5,
        "base64": base64.b64encode(value).decode(),
    }


def test_chunk_records_ends_object_before_missing_offset() -> None:
    chunks = chunk_records([TopicRecord(0, 0, b"1"), TopicRecord(1, 0, b"2"), TopicRecord(5, 0, b"3")])
    assert [(chunk.first_offset, chunk.lines) for chunk in chunks] == [(0, (b"1", b"2")), (5, (b"3",))]
