"""Reconciliation of the tables with the topics and the streams, as checks."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import cast

import dagster as dg
from pydantic import Field

from pin_pipeline.defs.assets.cleaned import cleaned_key
from pin_pipeline.defs.assets.streams import stream_table_key
from pin_pipeline.defs.resources.interfaces import KafkaResource, LakeResource
from pin_pipeline.defs.retries import RetryUnlessInterrupted
from pin_pipeline.reconciliation.findings import StreamFindings, TopicFindings
from pin_pipeline.reconciliation.stream import reconcile_configured_stream
from pin_pipeline.records import RECORD_TYPES
from pin_pipeline.settings import Settings

RECONCILED = "reconciled"
LOCATION, NEXT_OFFSETS = "location", "next_offsets"
"""Metadata of an evaluation: what was reconciled, and the offsets at which the next reconciliation starts."""
FORMER_NAME = "audited"
"""Former name of the check and of `LOCATION`. Environments that were filled under it have a history to continue."""
COUNTS = ("landed", "published", "superseded", "quarantined", "waiting")
SHOWN = 20
"""Number of discrepancies that the metadata of an evaluation lists."""
HISTORY = 100
"""Number of evaluations among which the last successful one is searched."""

SPECS = [
    dg.AssetCheckSpec(
        RECONCILED,
        asset=cleaned_key(record_type),
        blocking=True,
        description=(
            "Every record that arrived since the last successful reconciliation is found on S3 and in the tables: "
            "published, superseded or quarantined, exactly once and unmodified. Records are compared by position and "
            "by content, by code that is independent of landing and cleaning. Missing, duplicated, modified and "
            "unexpected records are listed."
        ),
    )
    for record_type in RECORD_TYPES.values()
]
STREAM_SPECS = [
    dg.AssetCheckSpec(
        RECONCILED,
        asset=stream_table_key(record_type),
        description=(
            "Every record that the Kinesis stream still retains is found in the table or in its quarantine, exactly "
            "once and unmodified. Records are compared by position and by content, by code that is independent of the "
            "streaming job. Missing, duplicated, modified and unexpected records are listed."
        ),
    )
    for record_type in RECORD_TYPES.values()
]


class ReconciliationConfig(dg.Config):
    """Options of the reconciliation."""

    from_the_beginning: bool = Field(
        default=False,
        description="Reconcile all records, not only those that arrived since the last successful reconciliation.",
    )


@dg.multi_asset_check(specs=SPECS, can_subset=True, retry_policy=RetryUnlessInterrupted(max_retries=2, delay=2))
def reconcile(
    context: dg.AssetCheckExecutionContext, config: ReconciliationConfig, kafka: KafkaResource, lake: LakeResource
) -> Iterator[dg.AssetCheckResult]:
    """Reconcile the topics of the selected tables in parallel: most of the time is spent waiting for the broker."""
    tables, objects = lake.tables(), lake.objects()
    with ThreadPoolExecutor() as pool:
        pending = []
        for record_type in RECORD_TYPES.values():
            check = dg.AssetCheckKey(cleaned_key(record_type), RECONCILED)
            if check in context.selected_asset_check_keys:
                location = f"s3://{lake.bucket}/topics/{kafka.topic(record_type.name)}/"
                start_offsets = {} if config.from_the_beginning else _start_offsets(context.instance, check, location)
                findings = pool.submit(kafka.reconcile, record_type, tables, objects, start_offsets)
                pending.append((check, location, findings))
        for check, location, findings in pending:
            yield _result(check, location, findings.result())


@dg.multi_asset_check(specs=STREAM_SPECS, can_subset=True, retry_policy=RetryUnlessInterrupted(max_retries=2, delay=2))
def reconcile_streams(context: dg.AssetCheckExecutionContext) -> Iterator[dg.AssetCheckResult]:
    """Reconcile the Kinesis streams of the selected tables."""
    settings = Settings.load()
    for record_type in RECORD_TYPES.values():
        check = dg.AssetCheckKey(stream_table_key(record_type), RECONCILED)
        if check in context.selected_asset_check_keys:
            stream, findings = reconcile_configured_stream(record_type, settings)
            yield _result(check, stream, findings)


def _start_offsets(instance: dg.DagsterInstance, check: dg.AssetCheckKey, location: str) -> dict[int, int]:
    """Return the offsets at which the last successful reconciliation of this location ended, by partition.

    Evaluations under the former name count if none under the current name was successful. Empty if there is neither.
    """
    former = dg.AssetCheckKey(check.asset_key, FORMER_NAME)
    for key, location_entry in ((check, LOCATION), (former, FORMER_NAME)):
        for record in instance.event_log_storage.get_asset_check_execution_history(key, limit=HISTORY):
            evaluation = record.event.asset_check_evaluation if record.event else None
            if (
                evaluation is not None
                and evaluation.passed
                and evaluation.metadata.get(location_entry) == dg.MetadataValue.text(location)
            ):
                offsets = cast("dict[str, int]", evaluation.metadata[NEXT_OFFSETS].value)
                return {int(partition): offset for partition, offset in offsets.items()}
    return {}


def _result(check: dg.AssetCheckKey, location: str, findings: TopicFindings | StreamFindings) -> dg.AssetCheckResult:
    listed = "\n".join(f"* {line}" for line in islice(findings.sentences(), SHOWN))
    return dg.AssetCheckResult(
        asset_key=check.asset_key,
        check_name=check.name,
        passed=not findings.discrepancies,
        metadata={
            **{name: findings.total(name) for name in COUNTS},
            "discrepancies": len(findings.discrepancies),
            "first_discrepancies": dg.MetadataValue.md(listed),
            LOCATION: dg.MetadataValue.text(location),
            NEXT_OFFSETS: {str(number): counts.next_offset for number, counts in findings.partitions.items()},
        },
    )
