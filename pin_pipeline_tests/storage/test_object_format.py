import base64
import json
from itertools import accumulate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pin_pipeline.storage.object_format import Chunk, TopicRecord, chunks

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


def read_back(chunk: Chunk) -> list[tuple[int, bytes | None]]:
    """Offsets and values as a reader of the object's bytes finds them."""
    lines = chunk.body.removesuffix(b"\n").split(b"\n")
    if chunk.area == "topics":
        return list(enumerate(lines, chunk.first_offset))
    envelopes = [json.loads(line) for line in lines]
    found = [(e["offset"], None if e["base64"] is None else base64.b64decode(e["base64"])) for e in envelopes]
    assert [offset for offset, _ in found] == list(range(chunk.first_offset, chunk.next_offset))
    return found


@given(records, st.integers(1, 10), st.integers(1, 200))
def test_every_record_is_read_back_at_its_offset_with_its_bytes(
    given_records: list[TopicRecord], max_records: int, max_bytes: int
) -> None:
    cut = chunks(given_records, max_records, max_bytes)
    written = [(offset, value, chunk.area) for chunk in cut for offset, value in read_back(chunk)]
    assert len(written) == len(given_records)
    for (offset, value, area), record in zip(written, given_records, strict=True):
        one_line = record.value and record.value.replace(b"\n", b" ")
        assert (offset, value) == (record.offset, one_line if area == "topics" else record.value)


@given(records, st.integers(1, 10))
def test_an_object_holds_at_most_the_records_it_may(given_records: list[TopicRecord], max_records: int) -> None:
    assert all(len(chunk.lines) <= max_records for chunk in chunks(given_records, max_records))


@given(records, st.integers(0, 40))
def test_going_on_behind_any_object_gives_the_same_objects(given_records: list[TopicRecord], stop: int) -> None:
    whole = list(chunks(given_records, max_records=4))
    behind = whole[:stop]
    position = behind[-1].next_offset if behind else 0
    rest = chunks([record for record in given_records if record.offset >= position], max_records=4)
    assert [*behind, *rest] == whole


@pytest.mark.parametrize("value", [b'{\n  "a": "\\n"\r\n}', b"{\n"])
def test_what_is_no_line_of_json_is_set_aside_with_its_bytes(value: bytes) -> None:
    (chunk,) = chunks([TopicRecord(7, 5, value)])
    assert (chunk.area, chunk.first_offset) == ("quarantine", 7)
    assert json.loads(chunk.body) == {
        "offset": 7,
        "timestamp": 5,
        "base64": base64.b64encode(value).decode(),
    }


def test_a_missing_offset_closes_the_object() -> None:
    cut = chunks([TopicRecord(0, 0, b"1"), TopicRecord(1, 0, b"2"), TopicRecord(5, 0, b"3")])
    assert [(chunk.first_offset, chunk.lines) for chunk in cut] == [(0, (b"1", b"2")), (5, (b"3",))]
