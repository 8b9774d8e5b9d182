"""What the pipeline reads but does not make: the source tables, the gateway and the topics."""

import dagster as dg

from pin_pipeline.environment import Settings
from pin_pipeline.records import KINDS, RecordKind

GATEWAY = dg.AssetKey(["gateway", "posts"])


def source_key(kind: RecordKind) -> dg.AssetKey:
    """The source table of a record kind."""
    return dg.AssetKey(["source", kind.source_table])


def topic_key(kind: RecordKind) -> dg.AssetKey:
    """The Kafka topic of a record kind."""
    return dg.AssetKey(["topics", kind.name])


def _source_schema(kind: RecordKind) -> dg.TableSchema:
    return dg.TableSchema(
        [dg.TableColumn(field.name, type(field).__name__.lower(), field.description) for field in kind.fields]
    )


def external_assets(settings: Settings) -> list[dg.AssetSpec]:
    """Lineage from the source tables to the topics."""
    sources = [
        dg.AssetSpec(
            source_key(kind),
            group_name="source",
            kinds={"sql", "table"},
            description=f"Source table of the emulator. {kind.description}",
            metadata={"dagster/table_name": kind.source_table, "dagster/column_schema": _source_schema(kind)},
        )
        for kind in KINDS.values()
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
            topic_key(kind),
            deps=[GATEWAY],
            group_name="topics",
            kinds={"kafka", "json"},
            description=f"Kafka topic `{settings.topic(kind.name)}`. {kind.description}",
            metadata={"dagster/uri": f"kafka://{settings.kafka.place}/{settings.topic(kind.name)}"},
        )
        for kind in KINDS.values()
    ]
    return [*sources, gateway, *topics]
