"""Verification of downloaded jars against the recorded digests."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from pin_pipeline.local.errors import LocalError
from pin_pipeline.local.jars import verify

DIGESTS = {"a.jar": hashlib.sha256(b"a").hexdigest()}


def test_verify_accepts_jars_with_the_recorded_digests(tmp_path: Path) -> None:
    (tmp_path / "a.jar").write_bytes(b"a")
    verify(tmp_path, DIGESTS)


@pytest.mark.parametrize("jars", [{"a.jar": b"modified"}, {}, {"a.jar": b"a", "b.jar": b"b"}], ids=str)
def test_verify_rejects_modified_missing_and_unexpected_jars(tmp_path: Path, jars: dict[str, bytes]) -> None:
    for name, content in jars.items():
        (tmp_path / name).write_bytes(content)
    with pytest.raises(
        LocalError, match=r"jar [ab]\.jar was rejected: its SHA-256 is .*, expected .* as in jars\.sha256"
    ):
        verify(tmp_path, DIGESTS)
