"""Kinesis streams, one per record type."""

import dagster as dg

from pin_pipeline.defs.assets.gateway import GATEWAY
from pin_pipeline.defs.metadata import SETTINGS
from pin_pipeline.records import RECORD_TYPES, RecordType


def kinesis_key(record_type: RecordType) -> dg.AssetKey:
    """Return the asset key of the Kinesis stream of a record type."""
    return dg.AssetKey(["kinesis", record_type.name])


def _spec(record_type: RecordType) -> dg.AssetSpec:
    stream = SETTINGS.stream(record_type.name)
    return dg.AssetSpec(
        kinesis_key(record_type),
        deps=[GATEWAY],
        group_name="kinesis",
        kinds={"kinesis", "json"},
        description=f"Kinesis stream `{stream}`. {record_type.description}",
        metadata={"dagster/uri": f"{SETTINGS.kinesis_endpoint_url or 'kinesis:/'}/{stream}"},
    )


kinesis_streams = [_spec(record_type) for record_type in RECORD_TYPES.values()]
