"""The kinds of record that a post consists of. Each is defined once, here; every other part derives from it."""

from pin_pipeline.records.geo import GEO
from pin_pipeline.records.kind import Column, Combine, Expectation, RecordKind, Together
from pin_pipeline.records.pin import PIN
from pin_pipeline.records.user import USER

KINDS: dict[str, RecordKind] = {kind.name: kind for kind in (PIN, GEO, USER)}

__all__ = ["GEO", "KINDS", "PIN", "USER", "Column", "Combine", "Expectation", "RecordKind", "Together"]
