"""The business questions, answered daily."""

from collections.abc import Iterator

import dagster as dg

from pin_pipeline.assets.cleaned import cleaned_key
from pin_pipeline.assets.common import delta_table, results
from pin_pipeline.environment import Settings
from pin_pipeline.lakehouse.queries import QUERIES, Query
from pin_pipeline.lakehouse.work import Answer
from pin_pipeline.records import KINDS
from pin_pipeline.resources.lake import LakeResource
from pin_pipeline.resources.spark import SparkResource


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
        yield from results(spark.run(context, Answer(tuple(wanted)), lake))

    return queries


def _spec(settings: Settings, query: Query) -> dg.AssetSpec:
    return dg.AssetSpec(
        query_key(query),
        deps=[cleaned_key(KINDS[name]) for name in query.inputs],
        group_name="queries",
        kinds={"sql", "deltalake"},
        description=f"{query.question}\n\n```sql\n{query.sql}```",
        metadata=delta_table(settings, query_key(query), query.columns),
    )
