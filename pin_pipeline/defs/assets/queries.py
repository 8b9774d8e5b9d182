"""The business questions, answered daily."""

from collections.abc import Iterator

import dagster as dg

from pin_pipeline.batch.queries import QUERIES, Query
from pin_pipeline.batch.tasks import QueryTask
from pin_pipeline.defs.assets.cleaned import cleaned_key
from pin_pipeline.defs.metadata import delta_table, results
from pin_pipeline.defs.resources.lake import LakeResource
from pin_pipeline.defs.resources.spark import SparkResource
from pin_pipeline.records import RECORD_TYPES
from pin_pipeline.settings import Settings


def query_key(query: Query) -> dg.AssetKey:
    """The table that holds a query's answer."""
    return dg.AssetKey(["queries", query.name])


def query_assets(settings: Settings) -> dg.AssetsDefinition:
    """All queries in one Spark job, from the same versions of the cleaned tables; each can be materialized alone."""

    @dg.multi_asset(
        can_subset=True,
        specs=[_spec(settings, query) for query in QUERIES.values()],
        check_specs=[
            dg.AssetCheckSpec("has_rows", asset=query_key(query), description="The question has an answer.")
            for query in QUERIES.values()
        ],
        retry_policy=dg.RetryPolicy(max_retries=1, delay=5),
    )
    def queries(
        context: dg.AssetExecutionContext, lake: LakeResource, spark: SparkResource
    ) -> Iterator[dg.MaterializeResult[None] | dg.AssetCheckResult]:
        wanted = (name for name, query in QUERIES.items() if query_key(query) in context.selected_asset_keys)
        yield from results(spark.run(context, QueryTask(tuple(wanted)), lake))

    return queries


def _spec(settings: Settings, query: Query) -> dg.AssetSpec:
    return dg.AssetSpec(
        query_key(query),
        deps=[cleaned_key(RECORD_TYPES[name]) for name in query.inputs],
        group_name="queries",
        kinds={"sql", "deltalake"},
        description=f"{query.question}\n\n```sql\n{query.sql}```",
        metadata=delta_table(settings, query_key(query), query.columns),
    )
