import pytest

from pin_pipeline.storage.object_keys import MAX_OFFSET, ObjectName


def test_a_name_is_spelled_as_the_s3_sink_connectors_spell_it() -> None:
    name = ObjectName("topics", "pinterest.pin", 2, 1234)
    assert name.key == "topics/pinterest.pin/partition=2/pinterest.pin+2+0000001234.json"


def test_a_key_parses_to_the_name_that_spells_it() -> None:
    name = ObjectName("quarantine", "a+b.geo", 11, MAX_OFFSET)
    assert ObjectName.parse(name.key) == name


def test_an_offset_that_would_not_sort_is_refused() -> None:
    with pytest.raises(ValueError, match=r"offset 10000000000 of .* is beyond 9999999999"):
        _ = ObjectName("topics", "pinterest.pin", 0, MAX_OFFSET + 1).key


@pytest.mark.parametrize(
    "key",
    [
        "topics/pinterest.pin/partition=0/pinterest.geo+0+0000000000.json",
        "topics/pinterest.pin/partition=0/pinterest.pin+1+0000000000.json",
        "topics/pinterest.pin/partition=0/pinterest.pin+0+0.json",
        "lake/pinterest.pin/partition=0/pinterest.pin+0+0000000000.json",
        "topics/pinterest.pin/partition=0/",
    ],
)
def test_a_key_that_is_no_landed_object_is_named_in_the_error(key: str) -> None:
    with pytest.raises(ValueError, match="is no landed object") as error:
        ObjectName.parse(key)
    assert key in str(error.value)
