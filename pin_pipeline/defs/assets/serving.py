"""Serving view: the batch and the real-time tables as one."""

from collections.abc import Iterator

import dagster as dg

from pin_pipeline.defs.assets.cleaned import cleaned_key
from pin_pipeline.defs.assets.realtime import realtime_key
from pin_pipeline.defs.metadata import report_results, table_schema
from pin_pipeline.defs.resources.interfaces import LakeResource, PostgresResource
from pin_pipeline.defs.retries import RetryUnlessInterrupted
from pin_pipeline.records import PIN
from pin_pipeline.serving.popular_categories import COLUMNS, KEY, SQL, serve
from pin_pipeline.streaming.postgres_tables import EXPERIMENTAL_DATA

POPULAR_CATEGORIES = dg.AssetKey.from_user_string(KEY)


@dg.multi_asset(
    specs=[
        dg.AssetSpec(
            POPULAR_CATEGORIES,
            deps=[cleaned_key(PIN), realtime_key(EXPERIMENTAL_DATA)],
            group_name="serving",
            kinds={"postgres", "sql"},
            description=(
                "Current number of pins per category: a Postgres view on the pins that the batch has cleaned and those "
                "that the stream has added since; it counts each pin once. Materializing the asset reloads the batch's "
                f"pins; those of the stream are always current.\n\n```sql\n{SQL}```"
            ),
            metadata={"dagster/table_name": "popular_categories", "dagster/column_schema": table_schema(COLUMNS)},
        )
    ],
    check_specs=[
        dg.AssetCheckSpec(
            "complete",
            asset=POPULAR_CATEGORIES,
            description="Postgres has as many pins of the batch as the table `cleaned/pin` that they were loaded from.",
        )
    ],
    retry_policy=RetryUnlessInterrupted(max_retries=1, delay=5),
)
def serving(
    lake: LakeResource, postgres: PostgresResource
) -> Iterator[dg.MaterializeResult[None] | dg.AssetCheckResult]:
    """Load the cleaned pins into Postgres and create the view."""
    yield from report_results([serve(lake.tables(), postgres.database())])
