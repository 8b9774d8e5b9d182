"""The cleaned tables."""

from collections.abc import Iterator

import dagster as dg
from pydantic import Field

from pin_pipeline.batch.tasks import CleanTask
from pin_pipeline.defs.assets.raw import raw_key
from pin_pipeline.defs.metadata import delta_table, lineage, results
from pin_pipeline.defs.resources.kafka import KafkaResource
from pin_pipeline.defs.resources.lake import LakeResource
from pin_pipeline.defs.resources.spark import SparkResource
from pin_pipeline.records import RECORD_TYPES, RecordType
from pin_pipeline.records.positions import SOURCE_POSITION
from pin_pipeline.settings import Settings


class CleaningConfig(dg.Config):
    """What to clean."""

    replay: bool = Field(
        default=False, description="Judge the records in quarantine again, and publish those that fit by now."
    )
    rebuild: bool = Field(
        default=False, description="Make the tables and the quarantine anew from all landed objects, then take them."
    )


def cleaned_key(record_type: RecordType) -> dg.AssetKey:
    """The cleaned table of a record kind."""
    return dg.AssetKey(["cleaned", record_type.name])


def cleaned_assets(settings: Settings) -> dg.AssetsDefinition:
    """All cleaned tables in one Spark job; each can be materialized alone."""
    by_key = {cleaned_key(record_type): record_type for record_type in RECORD_TYPES.values()}

    @dg.multi_asset(
        can_subset=True,
        specs=[_spec(settings, record_type) for record_type in RECORD_TYPES.values()],
        check_specs=[spec for record_type in RECORD_TYPES.values() for spec in _check_specs(record_type)],
        retry_policy=dg.RetryPolicy(max_retries=1, delay=5),
    )
    def cleaned(
        context: dg.AssetExecutionContext,
        config: CleaningConfig,
        kafka: KafkaResource,
        lake: LakeResource,
        spark: SparkResource,
    ) -> Iterator[dg.MaterializeResult[None] | dg.AssetCheckResult]:
        record_types = [by_key[key].name for key in sorted(context.selected_asset_keys)]
        work = CleanTask(
            {kafka.topic(record_type): record_type for record_type in record_types}, config.replay, config.rebuild
        )
        yield from results(spark.run(context, work, lake))

    return cleaned


def _check_specs(record_type: RecordType) -> Iterator[dg.AssetCheckSpec]:
    """What the cleaning itself says of the records that it has read."""
    key = cleaned_key(record_type)
    yield dg.AssetCheckSpec(
        "record_counts_reconcile",
        asset=key,
        blocking=True,
        description="Records landed = published + superseded + quarantined.",
    )
    yield dg.AssetCheckSpec(
        "no_unknown_fields", asset=key, description="The records last read have no field that their kind does not have."
    )
    for pair in record_type.consistency_rules:
        yield dg.AssetCheckSpec(pair.name, asset=key, description=f"In the records last read: {pair.description}")


def _spec(settings: Settings, record_type: RecordType) -> dg.AssetSpec:
    key = cleaned_key(record_type)
    columns = (*record_type.columns, *SOURCE_POSITION)
    return dg.AssetSpec(
        key,
        deps=[raw_key(record_type)],
        group_name="cleaned",
        kinds={"pyspark", "deltalake"},
        description=(
            f"{record_type.description}\n\nOne row a key, the latest record wins. A run reads only the objects that came "
            f"since its last commit; records that do not fit go to `lake/quarantine/{record_type.name}`."
        ),
        metadata={
            **delta_table(settings, key, columns),
            "dagster/column_lineage": lineage(record_type.columns, raw_key(record_type)),
        },
    )
