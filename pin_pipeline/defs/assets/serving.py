"""What others ask all day: the batch's answer of history and the stream's answer of today as one."""

from collections.abc import Iterator

import dagster as dg

from pin_pipeline.defs.assets.cleaned import cleaned_key
from pin_pipeline.defs.assets.streams import realtime_key
from pin_pipeline.defs.metadata import results, schema
from pin_pipeline.defs.resources.lake import LakeResource
from pin_pipeline.defs.resources.postgres import PostgresResource
from pin_pipeline.records import PIN
from pin_pipeline.serving.popular_categories import COLUMNS, KEY, SQL, serve
from pin_pipeline.streaming.postgres_sink import EXPERIMENTAL_DATA

POPULAR_CATEGORIES = dg.AssetKey.from_user_string(KEY)


@dg.multi_asset(
    specs=[
        dg.AssetSpec(
            POPULAR_CATEGORIES,
            deps=[cleaned_key(PIN), realtime_key(EXPERIMENTAL_DATA)],
            group_name="serving",
            kinds={"postgres", "sql"},
            description=(
                "How many pins each category has at this moment: a view that joins what the batch has cleaned with "
                "what the stream has brought since, and counts no pin twice. Materializing it brings the batch's "
                f"share up to date; the stream's share always is.\n\n```sql\n{SQL}```"
            ),
            metadata={"dagster/table_name": "popular_categories", "dagster/column_schema": schema(COLUMNS)},
        )
    ],
    check_specs=[
        dg.AssetCheckSpec(
            "complete",
            asset=POPULAR_CATEGORIES,
            description="The batch's share has as many pins as the table it was loaded from.",
        )
    ],
    retry_policy=dg.RetryPolicy(max_retries=1, delay=5),
)
def serving(
    lake: LakeResource, postgres: PostgresResource
) -> Iterator[dg.MaterializeResult[None] | dg.AssetCheckResult]:
    """Load the batch's share of the view."""
    yield from results([serve(lake.tables(), postgres.database())])
