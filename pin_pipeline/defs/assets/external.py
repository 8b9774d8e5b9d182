"""What the pipeline reads but does not make: the source tables, the gateway and the topics."""

import dagster as dg

from pin_pipeline.records import RECORD_TYPES, RecordType
from pin_pipeline.settings import Settings

GATEWAY = dg.AssetKey(["gateway", "posts"])


def source_key(record_type: RecordType) -> dg.AssetKey:
    """The source table of a record kind."""
    return dg.AssetKey(["source", record_type.source_table])


def topic_key(record_type: RecordType) -> dg.AssetKey:
    """The Kafka topic of a record kind."""
    return dg.AssetKey(["topics", record_type.name])


def _source_schema(record_type: RecordType) -> dg.TableSchema:
    return dg.TableSchema(
        [dg.TableColumn(field.name, type(field).__name__.lower(), field.description) for field in record_type.fields]
    )


def external_assets(settings: Settings) -> list[dg.AssetSpec]:
    """Lineage from the source tables to the topics."""
    sources = [
        dg.AssetSpec(
            source_key(record_type),
            group_name="source",
            kinds={"sql", "table"},
            description=f"Source table of the emulator. {record_type.description}",
            metadata={
                "dagster/table_name": record_type.source_table,
                "dagster/column_schema": _source_schema(record_type),
            },
        )
        for record_type in RECORD_TYPES.values()
    ]
    gateway = dg.AssetSpec(
        GATEWAY,
        deps=[spec.key for spec in sources],
        group_name="gateway",
        kinds={"python", "api"},
        description=(
            "Posts as clients send them: the `emulation` job draws rows of the source tables and posts them to the "
            "HTTP gateway by the Kafka REST v2 contract."
        ),
        metadata={"dagster/uri": f"{settings.gateway_url}/topics"},
    )
    topics = [
        dg.AssetSpec(
            topic_key(record_type),
            deps=[GATEWAY],
            group_name="topics",
            kinds={"kafka", "json"},
            description=f"Kafka topic `{settings.topic(record_type.name)}`. {record_type.description}",
            metadata={"dagster/uri": f"kafka://{settings.kafka.place}/{settings.topic(record_type.name)}"},
        )
        for record_type in RECORD_TYPES.values()
    ]
    return [*sources, gateway, *topics]
