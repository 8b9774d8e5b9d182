"""Business queries on the cleaned tables; each result is a Delta table."""

from collections.abc import Iterator

import dagster as dg

from pin_pipeline.batch.queries import QUERIES, Query
from pin_pipeline.batch.tasks import QueryTask
from pin_pipeline.defs.assets.cleaned import cleaned_key
from pin_pipeline.defs.metadata import delta_table_metadata, report_results
from pin_pipeline.defs.resources.interfaces import BatchResource, LakeResource
from pin_pipeline.defs.retries import RetryUnlessInterrupted
from pin_pipeline.records import RECORD_TYPES


def query_key(query: Query) -> dg.AssetKey:
    """Return the asset key of the table that holds the result of a query."""
    return dg.AssetKey(["queries", query.name])


def _spec(query: Query) -> dg.AssetSpec:
    return dg.AssetSpec(
        query_key(query),
        deps=[cleaned_key(RECORD_TYPES[name]) for name in query.inputs],
        group_name="queries",
        kinds={"sql", "deltalake"},
        description=f"{query.question}\n\n```sql\n{query.sql}```",
        metadata=delta_table_metadata(query_key(query), query.columns),
    )


@dg.multi_asset(
    can_subset=True,
    specs=[_spec(query) for query in QUERIES.values()],
    check_specs=[
        dg.AssetCheckSpec("has_rows", asset=query_key(query), description="The query returns at least one row.")
        for query in QUERIES.values()
    ],
    retry_policy=RetryUnlessInterrupted(max_retries=1, delay=5),
)
def queries(
    context: dg.AssetExecutionContext, lake: LakeResource, batch: BatchResource
) -> Iterator[dg.MaterializeResult[None] | dg.AssetCheckResult]:
    """Run the selected queries on one engine, on the same versions of the cleaned tables."""
    selected = (name for name, query in QUERIES.items() if query_key(query) in context.selected_asset_keys)
    yield from report_results(batch.run(context, QueryTask(tuple(selected)), lake))
