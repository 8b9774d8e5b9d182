"""IDs of quarantined records."""

from __future__ import annotations

import pytest

from pin_pipeline.quarantine.reader import QuarantineError, RecordId


@pytest.mark.parametrize("name", ["pin", "pin/0", "pan/0/1", "pin/0/-1", "pin/0/1/2", "pin/a/b", ""])
def test_invalid_record_id_is_refused_with_an_example(name: str) -> None:
    with pytest.raises(QuarantineError, match="expected type/partition/offset, such as pin/0/17"):
        RecordId.parse(name)
