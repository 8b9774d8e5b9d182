"""The columns that say where a row came from, and those of the quarantine."""

from pin_pipeline.records.kind import Column

SOURCE_POSITION = (
    Column(name="source_topic", type="string", description="Topic the record was read from."),
    Column(name="source_partition", type="int", description="Partition of the topic."),
    Column(name="source_offset", type="bigint", description="Offset in the partition."),
)
QUARANTINE = (
    *SOURCE_POSITION,
    Column(name="reason", type="string", description="Why the record does not fit."),
    Column(name="field", type="string", description="The offending field, where it is one."),
    Column(name="value", type="string", description="The field's value as JSON."),
    Column(name="bytes", type="binary", description="The record as it arrived; null for a tombstone."),
    Column(name="rules_version", type="string", description="The version of the rules that say so."),
    Column(name="first_seen", type="timestamp", description="When it was quarantined."),
    Column(
        name="replayed_in",
        type="bigint",
        description="The batch of the cleaned table that is to publish it after all; null but during a replay.",
    ),
)
