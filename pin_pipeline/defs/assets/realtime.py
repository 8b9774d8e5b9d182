"""Postgres tables that the streaming job `kafka_to_postgres` keeps up to date."""

import dagster as dg

from pin_pipeline.defs.assets.topics import topic_key
from pin_pipeline.defs.metadata import SETTINGS, table_schema
from pin_pipeline.records import PIN
from pin_pipeline.storage.postgres import PostgresTable
from pin_pipeline.streaming.postgres_tables import CATEGORY_TRENDS, EXPERIMENTAL_DATA, PROFILE_POPULARITY

DESCRIPTIONS = {
    EXPERIMENTAL_DATA: "Cleaned pins, each once, as they arrive on the topic.",
    PROFILE_POPULARITY: "Number of posts and followers of each poster, in windows of one hour.",
    CATEGORY_TRENDS: "Number of pins posted in each category, in windows of five minutes.",
}


def realtime_key(table: PostgresTable) -> dg.AssetKey:
    """Return the asset key of a real-time table."""
    return dg.AssetKey(["realtime", table.name])


def _spec(table: PostgresTable, description: str) -> dg.AssetSpec:
    return dg.AssetSpec(
        realtime_key(table),
        deps=[topic_key(PIN)],
        group_name="realtime",
        kinds={"kafka", "postgres"},
        description=(
            f"{description}\n\nPostgres table that the streaming job `kafka_to_postgres` keeps up to date. The checks "
            "`running` and `lag` tell whether it is."
        ),
        metadata={
            "dagster/table_name": table.name,
            "dagster/column_schema": table_schema(table.columns),
            "dashboard": dg.MetadataValue.url(SETTINGS.dashboard_url),
        },
    )


realtime_tables = [_spec(table, description) for table, description in DESCRIPTIONS.items()]
