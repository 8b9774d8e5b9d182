import pytest

from pin_pipeline.storage.object_keys import AREAS, MAX_OFFSET, Area, ObjectKeyError, ObjectName


def test_key_has_layout_of_s3_sink_connectors() -> None:
    name = ObjectName("topics", "pinterest.pin", 2, 1234)
    assert name.key == "topics/pinterest.pin/partition=2/pinterest.pin+2+0000001234.json"


@pytest.mark.parametrize("area", AREAS)
def test_parse_reverses_key(area: Area) -> None:
    name = ObjectName(area, "a+b.geo", 11, MAX_OFFSET)
    assert ObjectName.parse(name.key) == name


def test_key_rejects_offset_that_would_not_sort() -> None:
    with pytest.raises(ObjectKeyError, match=r"^offset 10000000000 of .* is beyond 9999999999, .*: start a new topic"):
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
def test_parse_error_names_the_key(key: str) -> None:
    with pytest.raises(ObjectKeyError, match="is not a landed object: expected") as error:
        ObjectName.parse(key)
    assert key in str(error.value)
