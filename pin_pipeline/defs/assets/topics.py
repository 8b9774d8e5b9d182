"""Kafka topics, one per record type."""

import dagster as dg

from pin_pipeline.defs.assets.gateway import GATEWAY
from pin_pipeline.defs.metadata import SETTINGS
from pin_pipeline.records import RECORD_TYPES, RecordType


def topic_key(record_type: RecordType) -> dg.AssetKey:
    """Return the asset key of the Kafka topic of a record type."""
    return dg.AssetKey(["topics", record_type.name])


def _spec(record_type: RecordType) -> dg.AssetSpec:
    topic = SETTINGS.topic(record_type.name)
    return dg.AssetSpec(
        topic_key(record_type),
        deps=[GATEWAY],
        group_name="topics",
        kinds={"kafka", "json"},
        description=f"Kafka topic `{topic}`. {record_type.description}",
        metadata={"dagster/uri": f"kafka://{SETTINGS.kafka.address}/{topic}"},
    )


topics = [_spec(record_type) for record_type in RECORD_TYPES.values()]
