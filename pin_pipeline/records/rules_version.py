"""Rules version: a digest that changes whenever the validation of a record type changes."""

from __future__ import annotations

import hashlib
from importlib.resources import files

from pin_pipeline import records
from pin_pipeline.records import RecordType

DIGEST_CHARACTERS = 12


def rules_version(record_type: RecordType) -> str:
    """Return the digest of a record type's definition and of the code that applies it."""
    code = files(records).joinpath("rules.py").read_text()
    return hashlib.sha256(f"{record_type!r}\n{code}".encode()).hexdigest()[:DIGEST_CHARACTERS]
