"""Cleaned Delta tables, one per record type."""

from collections.abc import Iterator

import dagster as dg
from pydantic import Field

from pin_pipeline.batch.tasks import CleanTask
from pin_pipeline.defs.assets.raw import raw_key
from pin_pipeline.defs.metadata import column_lineage, delta_table_metadata, report_results
from pin_pipeline.defs.resources.interfaces import BatchResource, KafkaResource, LakeResource
from pin_pipeline.defs.retries import RetryUnlessInterrupted
from pin_pipeline.records import RECORD_TYPES, RecordType
from pin_pipeline.records.positions import SOURCE_POSITION


class CleaningConfig(dg.Config):
    """Options of cleaning the landed records."""

    replay: bool = Field(
        default=False,
        description="Validate the quarantined records again and publish those that the current rules accept.",
    )
    rebuild: bool = Field(
        default=False,
        description=(
            "Recreate the cleaned tables and their quarantine from all landed objects. Readers see the old table until "
            "the new one is complete."
        ),
    )


def cleaned_key(record_type: RecordType) -> dg.AssetKey:
    """Return the asset key of the cleaned table of a record type."""
    return dg.AssetKey(["cleaned", record_type.name])


def cleaned_spec(record_type: RecordType) -> dg.AssetSpec:
    """Declare the cleaned table of a record type."""
    key = cleaned_key(record_type)
    return dg.AssetSpec(
        key,
        deps=[raw_key(record_type)],
        group_name="cleaned",
        kinds={"pyspark", "deltalake"},
        description=(
            f"{record_type.description}\n\nOne row per key: the latest record replaces earlier ones. A run reads only "
            "the objects that were landed since the last commit of the table. Rejected records are written to "
            f"`lake/quarantine/{record_type.name}`.\n\nNot partitioned by date: a late record replaces the row of a "
            "post of any day. The job `rebuild` recreates the table from the landed objects, and `replay_quarantine` "
            "validates rejected records again."
        ),
        metadata={
            **delta_table_metadata(key, (*record_type.columns, *SOURCE_POSITION)),
            "dagster/column_lineage": column_lineage(record_type.columns, raw_key(record_type)),
        },
    )


def _check_specs(record_type: RecordType) -> Iterator[dg.AssetCheckSpec]:
    """Declare the checks that cleaning evaluates on the records it has read."""
    key = cleaned_key(record_type)
    yield dg.AssetCheckSpec(
        "record_counts_reconcile",
        asset=key,
        blocking=True,
        description="Records landed = published + superseded + quarantined.",
    )
    yield dg.AssetCheckSpec(
        "no_unknown_fields",
        asset=key,
        description=f"The records of the last run have only fields that are defined for {record_type.name} records.",
    )
    for rule in record_type.consistency_rules:
        yield dg.AssetCheckSpec(rule.name, asset=key, description=f"In the records of the last run: {rule.description}")


@dg.multi_asset(
    can_subset=True,
    specs=[cleaned_spec(record_type) for record_type in RECORD_TYPES.values()],
    check_specs=[spec for record_type in RECORD_TYPES.values() for spec in _check_specs(record_type)],
    retry_policy=RetryUnlessInterrupted(max_retries=1, delay=5),
)
def cleaned(
    context: dg.AssetExecutionContext,
    config: CleaningConfig,
    kafka: KafkaResource,
    lake: LakeResource,
    batch: BatchResource,
) -> Iterator[dg.MaterializeResult[None] | dg.AssetCheckResult]:
    """Clean the selected record types in one Spark job."""
    selected = sorted(each.name for each in RECORD_TYPES.values() if cleaned_key(each) in context.selected_asset_keys)
    topics = {kafka.topic(record_type): record_type for record_type in selected}
    yield from report_results(batch.run(context, CleanTask(topics, config.replay, config.rebuild), lake))
