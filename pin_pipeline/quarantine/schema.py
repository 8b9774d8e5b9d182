"""Keys and columns of the quarantine tables."""

from pin_pipeline.records import Column
from pin_pipeline.records.positions import SOURCE_POSITION, STREAM_POSITION

REJECTION = (
    Column(name="reason", type="string", description="Why the record was rejected."),
    Column(name="field", type="string", description="The field that was rejected, if it was one."),
    Column(name="value", type="string", description="The field's value as JSON."),
    Column(name="bytes", type="binary", description="The record as it was received; null for a tombstone."),
    Column(name="rules_version", type="string", description="Version of the rules that rejected the record."),
    Column(name="first_seen", type="timestamp", description="When the record was quarantined."),
)
TOPIC_QUARANTINE = (
    *SOURCE_POSITION,
    *REJECTION,
    Column(
        name="replayed_in",
        type="bigint",
        description="Batch of the cleaned table that publishes the record; null except during a replay.",
    ),
)
STREAM_QUARANTINE = (*STREAM_POSITION, *REJECTION)


def topic_quarantine_key(record_type: str) -> str:
    """Return the asset key of the quarantine of a topic, whose records have this type."""
    return f"quarantine/{record_type}"
