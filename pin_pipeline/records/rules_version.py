"""Which rules a record was judged by."""

from __future__ import annotations

import hashlib
from importlib.resources import files

from pin_pipeline import records
from pin_pipeline.records import RecordType

DIGITS = 12


def rules_version(record_type: RecordType) -> str:
    """A digest of the kind's definition and of the code that applies it: any change of either is a new version."""
    code = files(records).joinpath("rules.py").read_text()
    return hashlib.sha256(f"{record_type!r}\n{code}".encode()).hexdigest()[:DIGITS]
