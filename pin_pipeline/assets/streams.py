"""The Kinesis streams, and the tables that the streaming jobs keep up to date; no run of Dagster makes them."""

from datetime import timedelta

import dagster as dg

from pin_pipeline.assets.common import delta_table, schema
from pin_pipeline.assets.external import GATEWAY, topic_key
from pin_pipeline.environment import Settings
from pin_pipeline.records import KINDS, PIN, RecordKind
from pin_pipeline.records.positions import STREAM_POSITION
from pin_pipeline.streams.postgres import PostgresTable
from pin_pipeline.streams.realtime import CATEGORY_TRENDS, EXPERIMENTAL_DATA, PROFILE_POPULARITY

FRESHNESS = dg.FreshnessPolicy.time_window(warn_window=timedelta(minutes=10), fail_window=timedelta(hours=1))
REALTIME = {
    EXPERIMENTAL_DATA: "Cleaned pins, each once, within a second or two of their posting.",
    PROFILE_POPULARITY: "How often each poster posts, and how many follow them, in windows of an hour.",
    CATEGORY_TRENDS: "How often pins are posted in each category, in windows of five minutes.",
}
DASHBOARD = dg.AssetKey(["dashboards", "pins_right_now"])


def kinesis_key(kind: RecordKind) -> dg.AssetKey:
    """The Kinesis stream of a record kind."""
    return dg.AssetKey(["kinesis", kind.name])


def stream_assets(settings: Settings) -> list[dg.AssetSpec]:
    """Lineage from the gateway over the Kinesis streams and the topic of pins to the tables."""
    return [
        *(_kinesis(settings, kind) for kind in KINDS.values()),
        *(_delta_table(settings, kind) for kind in KINDS.values()),
        *(_postgres_table(settings, table, description) for table, description in REALTIME.items()),
        dg.AssetSpec(
            DASHBOARD,
            deps=[*(table_key(kind) for kind in KINDS.values()), *map(realtime_key, REALTIME)],
            group_name="dashboards",
            kinds={"python", "dashboard"},
            description=(
                "A page that draws what happens right now: posts a second, how far the streams lag behind, and the top "
                f"categories and posters.\n\n[{settings.dashboard_url}]({settings.dashboard_url})"
            ),
            metadata={"dashboard": dg.MetadataValue.url(settings.dashboard_url)},
        ),
    ]


def table_key(kind: RecordKind) -> dg.AssetKey:
    """The Delta table of a record kind's stream."""
    return dg.AssetKey(["streams", kind.name])


def realtime_key(table: PostgresTable) -> dg.AssetKey:
    """A table in Postgres that the streams keep up to date."""
    return dg.AssetKey(["realtime", table.name])


def _kinesis(settings: Settings, kind: RecordKind) -> dg.AssetSpec:
    return dg.AssetSpec(
        kinesis_key(kind),
        deps=[GATEWAY],
        group_name="kinesis",
        kinds={"kinesis", "json"},
        description=f"Kinesis stream `{settings.stream(kind.name)}`. {kind.description}",
        metadata={"dagster/uri": f"{settings.kinesis_endpoint_url or 'kinesis:/'}/{settings.stream(kind.name)}"},
    )


def _delta_table(settings: Settings, kind: RecordKind) -> dg.AssetSpec:
    key = table_key(kind)
    return dg.AssetSpec(
        key,
        deps=[kinesis_key(kind)],
        group_name="streams",
        kinds={"kinesis", "deltalake"},
        description=(
            f"{kind.description}\n\nCleaned as they arrive, by the streaming job `kinesis_to_delta`. Fresh while "
            "records arrive: where nobody posts, it is overdue, and nothing is wrong unless a check says so."
        ),
        metadata={
            **delta_table(settings, key, (*kind.columns, *STREAM_POSITION)),
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
