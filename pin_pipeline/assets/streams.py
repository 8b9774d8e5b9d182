"""The Kinesis streams, and the tables that the streaming jobs keep up to date; no run of Dagster makes them."""

from collections.abc import Sequence
from datetime import timedelta

import dagster as dg

from pin_pipeline.assets.common import schema
from pin_pipeline.assets.external import GATEWAY, topic_key
from pin_pipeline.environment import Settings
from pin_pipeline.records import KINDS, PIN, Column, RecordKind

FRESHNESS = dg.FreshnessPolicy.time_window(warn_window=timedelta(minutes=10), fail_window=timedelta(hours=1))
REALTIME: dict[str, tuple[str, Sequence[Column]]] = {
    "experimental_data": ("Cleaned pins, within seconds of their posting.", PIN.columns),
    "profile_popularity": ("Who is followed most right now.", ()),
    "category_trends": ("Which categories are posted in most right now.", ()),
}


def kinesis_key(kind: RecordKind) -> dg.AssetKey:
    """The Kinesis stream of a record kind."""
    return dg.AssetKey(["kinesis", kind.name])


def stream_assets(settings: Settings) -> list[dg.AssetSpec]:
    """Lineage from the gateway over the Kinesis streams and the topic of pins to the tables."""
    return [
        *(_kinesis(settings, kind) for kind in KINDS.values()),
        *(_delta_table(settings, kind) for kind in KINDS.values()),
        *(_postgres_table(name, description, columns) for name, (description, columns) in REALTIME.items()),
    ]


def _kinesis(settings: Settings, kind: RecordKind) -> dg.AssetSpec:
    return dg.AssetSpec(
        kinesis_key(kind),
        deps=[GATEWAY],
        group_name="kinesis",
        kinds={"kinesis", "json"},
        description=f"Kinesis stream `{settings.stream(kind.name)}`. {kind.description}",
        metadata={"dagster/uri": f"{settings.kinesis_endpoint_url}/{settings.stream(kind.name)}"},
    )


def _delta_table(settings: Settings, kind: RecordKind) -> dg.AssetSpec:
    key = dg.AssetKey(["streams", kind.name])
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
            "dagster/uri": f"s3://{settings.bucket}/lake/{key.to_user_string()}",
            "dagster/table_name": key.to_user_string().replace("/", "."),
            "dagster/column_schema": schema(kind.columns),
        },
        freshness_policy=FRESHNESS,
    )


def _postgres_table(name: str, description: str, columns: Sequence[Column]) -> dg.AssetSpec:
    return dg.AssetSpec(
        dg.AssetKey(["realtime", name]),
        deps=[topic_key(PIN)],
        group_name="realtime",
        kinds={"kafka", "postgres"},
        description=f"{description}\n\nA table in Postgres, kept up to date by the streaming job `kafka_to_postgres`.",
        metadata={"dagster/table_name": name} | ({"dagster/column_schema": schema(columns)} if columns else {}),
        freshness_policy=FRESHNESS,
    )
