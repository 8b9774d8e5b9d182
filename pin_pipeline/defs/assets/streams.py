"""Delta tables that the streaming job `kinesis_to_delta` keeps up to date."""

import dagster as dg

from pin_pipeline.defs.assets.kinesis import kinesis_key
from pin_pipeline.defs.metadata import SETTINGS, delta_table_metadata
from pin_pipeline.records import RECORD_TYPES, RecordType
from pin_pipeline.records.positions import STREAM_POSITION


def stream_table_key(record_type: RecordType) -> dg.AssetKey:
    """Return the asset key of the Delta table that is written from the Kinesis stream of a record type."""
    return dg.AssetKey(["streams", record_type.name])


def _spec(record_type: RecordType) -> dg.AssetSpec:
    key = stream_table_key(record_type)
    return dg.AssetSpec(
        key,
        deps=[kinesis_key(record_type)],
        group_name="streams",
        kinds={"kinesis", "deltalake"},
        description=(
            f"{record_type.description}\n\nRecords of the Kinesis stream, cleaned as they arrive by the streaming job "
            "`kinesis_to_delta`. The checks `running` and `lag` tell whether the table is up to date."
        ),
        metadata={
            **delta_table_metadata(key, (*record_type.columns, *STREAM_POSITION)),
            "dashboard": dg.MetadataValue.url(SETTINGS.dashboard_url),
        },
    )


stream_tables = [_spec(record_type) for record_type in RECORD_TYPES.values()]
