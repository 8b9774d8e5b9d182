"""No jar is used whose digest is not the one on record."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from pin_pipeline.local.errors import LocalError
from pin_pipeline.local.jars import verify

GOOD = {"a.jar": hashlib.sha256(b"a").hexdigest()}


def test_the_jars_on_record_are_accepted(tmp_path: Path) -> None:
    (tmp_path / "a.jar").write_bytes(b"a")
    verify(tmp_path, GOOD)


@pytest.mark.parametrize("jars", [{"a.jar": b"another"}, {}, {"a.jar": b"a", "b.jar": b"b"}], ids=str)
def test_another_jar_a_missing_one_or_one_too_many_is_refused(tmp_path: Path, jars: dict[str, bytes]) -> None:
    for name, content in jars.items():
        (tmp_path / name).write_bytes(content)
    with pytest.raises(LocalError, match=r"jar [ab]\.jar has SHA-256 .* it is not used"):
        verify(tmp_path, GOOD)
