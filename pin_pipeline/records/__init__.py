"""Record types: the definitions of pin, geo and user records, from which every other part derives."""

from pin_pipeline.records.geo import GEO
from pin_pipeline.records.pin import PIN
from pin_pipeline.records.record_type import Column, Combine, ConsistencyRule, Expectation, RecordType
from pin_pipeline.records.user import USER

RECORD_TYPES: dict[str, RecordType] = {record_type.name: record_type for record_type in (PIN, GEO, USER)}

__all__ = ["GEO", "PIN", "RECORD_TYPES", "USER", "Column", "Combine", "ConsistencyRule", "Expectation", "RecordType"]
