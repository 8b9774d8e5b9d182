"""The cleaned tables."""

from collections.abc import Iterator

import dagster as dg
from pydantic import Field

from pin_pipeline.assets.common import delta_table, lineage, results
from pin_pipeline.assets.raw import raw_key
from pin_pipeline.environment import Settings
from pin_pipeline.lakehouse.work import Clean
from pin_pipeline.records import KINDS, RecordKind
from pin_pipeline.records.positions import SOURCE_POSITION
from pin_pipeline.resources.kafka import KafkaResource
from pin_pipeline.resources.lake import LakeResource
from pin_pipeline.resources.spark import SparkResource


class CleaningConfig(dg.Config):
    """What to clean."""

    replay: bool = Field(
        default=False, description="Judge the records in quarantine again, and publish those that fit by now."
    )
    rebuild: bool = Field(
        default=False, description="Make the tables and the quarantine anew from all landed objects, then take them."
    )


def cleaned_key(kind: RecordKind) -> dg.AssetKey:
    """The cleaned table of a record kind."""
    return dg.AssetKey(["cleaned", kind.name])


def cleaned_assets(settings: Settings) -> dg.AssetsDefinition:
    """All cleaned tables in one Spark job; each can be materialized alone."""
    by_key = {cleaned_key(kind): kind for kind in KINDS.values()}

    @dg.multi_asset(
        can_subset=True,
        specs=[_spec(settings, kind) for kind in KINDS.values()],
        check_specs=[spec for kind in KINDS.values() for spec in _check_specs(kind)],
        retry_policy=dg.RetryPolicy(max_retries=1, delay=5),
    )
    def cleaned(
        context: dg.AssetExecutionContext,
        config: CleaningConfig,
        kafka: KafkaResource,
        lake: LakeResource,
        spark: SparkResource,
    ) -> Iterator[dg.MaterializeResult[None] | dg.AssetCheckResult]:
        kinds = [by_key[key].name for key in sorted(context.selected_asset_keys)]
        work = Clean({kafka.topic(kind): kind for kind in kinds}, config.replay, config.rebuild)
        yield from results(spark.run(context, work, lake))

    return cleaned


def _check_specs(kind: RecordKind) -> Iterator[dg.AssetCheckSpec]:
    """What the cleaning itself says of the records that it has read."""
    key = cleaned_key(kind)
    yield dg.AssetCheckSpec(
        "every_record_accounted_for",
        asset=key,
        blocking=True,
        description="Records landed = published + superseded + quarantined.",
    )
    yield dg.AssetCheckSpec(
        "no_unknown_fields", asset=key, description="The records last read have no field that their kind does not have."
    )
    for pair in kind.together:
        yield dg.AssetCheckSpec(pair.name, asset=key, description=f"In the records last read: {pair.description}")


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
            **delta_table(settings, key, columns),
            "dagster/column_lineage": lineage(kind.columns, raw_key(kind)),
        },
    )
