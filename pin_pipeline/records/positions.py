"""The columns that say where a row came from, and those of the quarantine."""

from pin_pipeline.records.kind import Column

SOURCE_POSITION = (
    Column(name="source_topic", type="string", description="Topic the record was read from."),
    Column(name="source_partition", type="int", description="Partition of the topic."),
    Column(name="source_offset", type="bigint", description="Offset in the partition."),
)
STREAM_POSITION = (
    Column(name="source_stream", type="string", description="Kinesis stream the record was read from."),
    Column(name="source_shard", type="string", description="Shard of the stream."),
    Column(name="source_sequence_number", type="string", description="Sequence number in the shard, a whole number."),
    Column(name="arrived_at", type="timestamp", description="When the stream got the record."),
)
MISFIT = (
    Column(name="reason", type="string", description="Why the record does not fit."),
    Column(name="field", type="string", description="The offending field, where it is one."),
    Column(name="value", type="string", description="The field's value as JSON."),
    Column(name="bytes", type="binary", description="The record as it arrived; null for a tombstone."),
    Column(name="rules_version", type="string", description="The version of the rules that say so."),
    Column(name="first_seen", type="timestamp", description="When it was quarantined."),
)
QUARANTINE = (
    *SOURCE_POSITION,
    *MISFIT,
    Column(
        name="replayed_in",
        type="bigint",
        description="The batch of the cleaned table that is to publish it after all; null but during a replay.",
    ),
)
STREAM_QUARANTINE = (*STREAM_POSITION, *MISFIT)
