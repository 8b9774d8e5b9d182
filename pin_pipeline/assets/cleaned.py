"""The cleaned tables."""

from collections.abc import Iterator

import dagster as dg

from pin_pipeline.assets.common import lineage, schema
from pin_pipeline.assets.raw import raw_key
from pin_pipeline.environment import Settings
from pin_pipeline.lakehouse.clean import clean
from pin_pipeline.records import KINDS, RecordKind
from pin_pipeline.records.positions import SOURCE_POSITION
from pin_pipeline.resources.kafka import KafkaResource
from pin_pipeline.resources.lake import LakeResource
from pin_pipeline.resources.spark import SparkResource, results

CHECKS = {
    "every_record_accounted_for": "Records landed = published + superseded + quarantined.",
    "keys_unique_and_present": "Every row has a key, and no two rows have the same.",
}


def cleaned_key(kind: RecordKind) -> dg.AssetKey:
    """The cleaned table of a record kind."""
    return dg.AssetKey(["cleaned", kind.name])


def cleaned_assets(settings: Settings) -> dg.AssetsDefinition:
    """All cleaned tables in one Spark job; each can be materialized alone."""
    by_key = {cleaned_key(kind): kind for kind in KINDS.values()}

    @dg.multi_asset(
        can_subset=True,
        specs=[_spec(settings, kind) for kind in KINDS.values()],
        check_specs=[
            dg.AssetCheckSpec(name, asset=key, description=description, blocking=True)
            for key in by_key
            for name, description in CHECKS.items()
        ],
        retry_policy=dg.RetryPolicy(max_retries=1, delay=5),
    )
    def cleaned(
        context: dg.AssetExecutionContext, kafka: KafkaResource, lake: LakeResource, spark: SparkResource
    ) -> Iterator[dg.MaterializeResult[None] | dg.AssetCheckResult]:
        topics = {kafka.topic(by_key[key].name): by_key[key] for key in sorted(context.selected_asset_keys)}
        with spark.only_driver(context.log):
            yield from results(clean(spark.session, lake.tables(), lake.objects(), topics))

    return cleaned


def _spec(settings: Settings, kind: RecordKind) -> dg.AssetSpec:
    key = cleaned_key(kind)
    columns = (*kind.columns, *SOURCE_POSITION)
    return dg.AssetSpec(
        key,
        deps=[raw_key(kind)],
        group_name="cleaned",
        kinds={"pyspark", "deltalake"},
        description=(
            f"{kind.description}\n\nOne row a key, the latest record wins. A run reads only the objects that came "
            f"since its last commit; records that do not fit go to `lake/quarantine/{kind.name}`."
        ),
        metadata={
            "dagster/uri": f"s3://{settings.bucket}/lake/{key.to_user_string()}",
            "dagster/table_name": key.to_user_string().replace("/", "."),
            "dagster/column_schema": schema(columns),
            "dagster/column_lineage": lineage(kind.columns, raw_key(kind)),
        },
    )
