"""Position columns: where the record of a row was read from."""

from pin_pipeline.records.record_type import Column

SOURCE_POSITION = (
    Column(name="source_topic", type="string", description="Kafka topic of the record."),
    Column(name="source_partition", type="int", description="Partition of the topic."),
    Column(name="source_offset", type="bigint", description="Offset in the partition."),
)
STREAM_POSITION = (
    Column(name="source_stream", type="string", description="Kinesis stream of the record."),
    Column(name="source_shard", type="string", description="Shard of the stream."),
    Column(
        name="source_sequence_number",
        type="string",
        description="Sequence number in the shard, a whole number of up to 128 bits.",
    ),
    Column(name="arrived_at", type="timestamp", description="Time at which Kinesis received the record."),
)

MAX_PARTITIONS = 2**20
"""Upper bound of partitions per topic, far above what a broker supports.

Object names have ten digits for an offset; multiplied by this bound, an offset still fits in a bigint, so that
`offset * MAX_PARTITIONS + partition` orders positions by offset and then by partition.
"""
