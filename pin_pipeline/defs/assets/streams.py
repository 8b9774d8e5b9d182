"""The Kinesis streams, and the tables that the streaming jobs keep up to date; no run of Dagster makes them."""

from datetime import timedelta

import dagster as dg

from pin_pipeline.defs.assets.external import GATEWAY, topic_key
from pin_pipeline.defs.metadata import delta_table, schema
from pin_pipeline.records import PIN, RECORD_TYPES, RecordType
from pin_pipeline.records.positions import STREAM_POSITION
from pin_pipeline.settings import Settings
from pin_pipeline.storage.postgres import PostgresTable
from pin_pipeline.streaming.postgres_sink import CATEGORY_TRENDS, EXPERIMENTAL_DATA, PROFILE_POPULARITY

FRESHNESS = dg.FreshnessPolicy.time_window(warn_window=timedelta(minutes=10), fail_window=timedelta(hours=1))
REALTIME = {
    EXPERIMENTAL_DATA: "Cleaned pins, each once, within a second or two of their posting.",
    PROFILE_POPULARITY: "How often each poster posts, and how many follow them, in windows of an hour.",
    CATEGORY_TRENDS: "How often pins are posted in each category, in windows of five minutes.",
}
DASHBOARD = dg.AssetKey(["dashboards", "pins_right_now"])


def kinesis_key(record_type: RecordType) -> dg.AssetKey:
    """The Kinesis stream of a record kind."""
    return dg.AssetKey(["kinesis", record_type.name])


def stream_assets(settings: Settings) -> list[dg.AssetSpec]:
    """Lineage from the gateway over the Kinesis streams and the topic of pins to the tables."""
    return [
        *(_kinesis(settings, record_type) for record_type in RECORD_TYPES.values()),
        *(_delta_table(settings, record_type) for record_type in RECORD_TYPES.values()),
        *(_postgres_table(settings, table, description) for table, description in REALTIME.items()),
        dg.AssetSpec(
            DASHBOARD,
            deps=[*(table_key(record_type) for record_type in RECORD_TYPES.values()), *map(realtime_key, REALTIME)],
            group_name="dashboards",
            kinds={"python", "dashboard"},
            description=(
                "A page that draws what happens right now: posts a second, how far the streams lag behind, and the top "
                f"categories and posters.\n\n[{settings.dashboard_url}]({settings.dashboard_url})"
            ),
            metadata={"dashboard": dg.MetadataValue.url(settings.dashboard_url)},
        ),
    ]


def table_key(record_type: RecordType) -> dg.AssetKey:
    """The Delta table of a record kind's stream."""
    return dg.AssetKey(["streams", record_type.name])


def realtime_key(table: PostgresTable) -> dg.AssetKey:
    """A table in Postgres that the streams keep up to date."""
    return dg.AssetKey(["realtime", table.name])


def _kinesis(settings: Settings, record_type: RecordType) -> dg.AssetSpec:
    return dg.AssetSpec(
        kinesis_key(record_type),
        deps=[GATEWAY],
        group_name="kinesis",
        kinds={"kinesis", "json"},
        description=f"Kinesis stream `{settings.stream(record_type.name)}`. {record_type.description}",
        metadata={"dagster/uri": f"{settings.kinesis_endpoint_url or 'kinesis:/'}/{settings.stream(record_type.name)}"},
    )


def _delta_table(settings: Settings, record_type: RecordType) -> dg.AssetSpec:
    key = table_key(record_type)
    return dg.AssetSpec(
        key,
        deps=[kinesis_key(record_type)],
        group_name="streams",
        kinds={"kinesis", "deltalake"},
        description=(
            f"{record_type.description}\n\nCleaned as they arrive, by the streaming job `kinesis_to_delta`. Fresh while "
            "records arrive: where nobody posts, it is overdue, and nothing is wrong unless a check says so."
        ),
        metadata={
            **delta_table(settings, key, (*record_type.columns, *STREAM_POSITION)),
            "dashboard": dg.MetadataValue.url(settings.dashboard_url),
        },
        freshness_policy=FRESHNESS,
    )


def _postgres_table(settings: Settings, table: PostgresTable, description: str) -> dg.AssetSpec:
    return dg.AssetSpec(
        realtime_key(table),
        deps=[topic_key(PIN)],
        group_name="realtime",
        kinds={"kafka", "postgres"},
        description=f"{description}\n\nA table in Postgres, kept up to date by the streaming job `kafka_to_postgres`.",
        metadata={
            "dagster/table_name": table.name,
            "dagster/column_schema": schema(table.columns),
            "dashboard": dg.MetadataValue.url(settings.dashboard_url),
        },
        freshness_policy=FRESHNESS,
    )
