"""The audit of the cleaned tables, as a check that the day has to pass."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import cast

import dagster as dg
from pydantic import Field

from pin_pipeline import settings as environment
from pin_pipeline.defs.assets.cleaned import cleaned_key
from pin_pipeline.defs.assets.streams import table_key
from pin_pipeline.defs.resources.kafka import KafkaResource
from pin_pipeline.defs.resources.lake import LakeResource
from pin_pipeline.reconciliation.findings import StreamFindings, TopicFindings
from pin_pipeline.reconciliation.stream import reconcile_stream_of
from pin_pipeline.records import RECORD_TYPES

AUDITED, NEXT_OFFSETS = "audited", "next_offsets"
SHOWN = 20
HISTORY = 100
SPECS = [
    dg.AssetCheckSpec(
        AUDITED,
        asset=cleaned_key(record_type),
        blocking=True,
        description=(
            "An auditor that shares no code with landing and cleaning follows the records that came since the last "
            "audit that passed, from the topic over S3 into the tables, by position and by content, and names each "
            "that is missing, doubled or altered."
        ),
    )
    for record_type in RECORD_TYPES.values()
]
STREAM_SPECS = [
    dg.AssetCheckSpec(
        AUDITED,
        asset=table_key(record_type),
        description=(
            "An auditor that shares no code with the queries looks for each record that the Kinesis stream still has "
            "in the table and its quarantine, by position and by content, and names each that is missing, doubled or "
            "altered."
        ),
    )
    for record_type in RECORD_TYPES.values()
]


class ReconciliationConfig(dg.Config):
    """How much to audit."""

    from_the_beginning: bool = Field(
        default=False, description="Audit all records, not only those that came since the last audit that passed."
    )


@dg.multi_asset_check(specs=SPECS, can_subset=True, retry_policy=dg.RetryPolicy(max_retries=2, delay=2))
def audited(
    context: dg.AssetCheckExecutionContext, config: ReconciliationConfig, kafka: KafkaResource, lake: LakeResource
) -> Iterator[dg.AssetCheckResult]:
    """Audit the selected tables."""
    tables, objects = lake.tables(), lake.objects()
    with ThreadPoolExecutor() as pool:  # the broker is what it waits for most
        audits = []
        for record_type in RECORD_TYPES.values():
            check = dg.AssetCheckKey(cleaned_key(record_type), AUDITED)
            if check in context.selected_asset_check_keys:
                of = f"s3://{lake.bucket}/topics/{kafka.topic(record_type.name)}/"
                since = {} if config.from_the_beginning else _since(context.instance, check, of)
                audits.append((check, of, pool.submit(kafka.audit, record_type, tables, objects, since)))
        for check, of, findings in audits:
            yield _result(check, of, findings.result())


@dg.multi_asset_check(specs=STREAM_SPECS, can_subset=True, retry_policy=dg.RetryPolicy(max_retries=2, delay=2))
def streams_audited(context: dg.AssetCheckExecutionContext) -> Iterator[dg.AssetCheckResult]:
    """Audit the selected tables of the streams."""
    settings = environment.load()
    for record_type in RECORD_TYPES.values():
        check = dg.AssetCheckKey(table_key(record_type), AUDITED)
        if check in context.selected_asset_check_keys:
            stream, findings = reconcile_stream_of(record_type, settings)
            yield _result(check, stream, findings)


def _since(instance: dg.DagsterInstance, check: dg.AssetCheckKey, of: str) -> dict[int, int]:
    """Where the last audit of the same objects that passed has ended."""
    for record in instance.event_log_storage.get_asset_check_execution_history(check, limit=HISTORY):
        evaluation = record.event.asset_check_evaluation if record.event else None
        if (
            evaluation is not None
            and evaluation.passed
            and evaluation.metadata.get(AUDITED) == dg.MetadataValue.text(of)
        ):
            ends = cast("dict[str, int]", evaluation.metadata[NEXT_OFFSETS].value)
            return {int(partition): offset for partition, offset in ends.items()}
    return {}


def _result(check: dg.AssetCheckKey, of: str, findings: TopicFindings | StreamFindings) -> dg.AssetCheckResult:
    counts = ("landed", "published", "superseded", "quarantined", "waiting")
    return dg.AssetCheckResult(
        asset_key=check.asset_key,
        check_name=check.name,
        passed=not findings.defects,
        metadata={
            **{name: findings.total(name) for name in counts},
            "defects": len(findings.defects),
            "first_defects": dg.MetadataValue.md(
                "\n".join(f"* {line}" for line in islice(findings.sentences(), SHOWN))
            ),
            AUDITED: dg.MetadataValue.text(of),
            NEXT_OFFSETS: {str(number): counts.next_offset for number, counts in findings.partitions.items()},
        },
    )
