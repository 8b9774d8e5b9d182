"""Raw objects: the Kafka topics, landed on S3."""

import time
from collections.abc import Iterator

import dagster as dg
from pydantic import Field

from pin_pipeline.defs.assets.topics import topic_key
from pin_pipeline.defs.metadata import SETTINGS
from pin_pipeline.defs.resources.interfaces import LakeResource, LandingResource
from pin_pipeline.defs.retries import RetryUnlessInterrupted
from pin_pipeline.landing.lander import LandingResult
from pin_pipeline.records import RECORD_TYPES, RecordType

LANDED_TO_THE_END, NO_FOREIGN_OBJECTS = "landed_to_the_end", "no_foreign_objects"


class LandingConfig(dg.Config):
    """Options of landing a topic."""

    fail_on_data_loss: bool = Field(
        default=True,
        description=(
            "Fail when the topic's retention has deleted records that were not landed yet. When false, landing "
            "continues with the oldest record that the topic still has."
        ),
    )
    fill_gaps: bool = Field(
        default=False, description="List all landed objects and land the missing ones again, not only new records."
    )


def raw_key(record_type: RecordType) -> dg.AssetKey:
    """Return the asset key of the landed objects of a record type."""
    return dg.AssetKey(["raw", record_type.name])


def _raw_asset(record_type: RecordType) -> dg.AssetsDefinition:
    topic = SETTINGS.topic(record_type.name)

    @dg.asset(
        key=raw_key(record_type),
        deps=[topic_key(record_type)],
        group_name="raw",
        kinds={"s3", "json"},
        description=(
            f"{record_type.description}\n\nRecords of the topic `{topic}` as JSON Lines objects, which are written "
            "once and named by topic, partition and first offset. A run lands the topic up to the end offsets that it "
            "reads when it starts. Records that are not a JSON line are kept byte by byte under `encoded/`.\n\nNot "
            "partitioned by date: a run lands everything since the last one. The job `rebuild` lands missing objects "
            "again."
        ),
        metadata={"dagster/uri": f"s3://{SETTINGS.bucket}/topics/{topic}/"},
        check_specs=[
            dg.AssetCheckSpec(
                LANDED_TO_THE_END,
                asset=raw_key(record_type),
                blocking=True,
                description="Every offset below the end offsets that the run read when it started is on S3.",
            ),
            dg.AssetCheckSpec(
                NO_FOREIGN_OBJECTS,
                asset=raw_key(record_type),
                description="The folder of the topic has no other objects than landed ones. Others are skipped.",
            ),
        ],
        retry_policy=RetryUnlessInterrupted(max_retries=2, delay=2, backoff=dg.Backoff.EXPONENTIAL),
    )
    def raw(
        context: dg.AssetExecutionContext, config: LandingConfig, landing: LandingResource, lake: LakeResource
    ) -> Iterator[dg.MaterializeResult[None]]:
        started = time.monotonic()
        options = {"fail_on_data_loss": config.fail_on_data_loss, "fill_gaps": config.fill_gaps}
        landed = landing.land(record_type.name, lake.objects(), **options)
        context.log.info("%d records in %d objects", landed.records, landed.objects)
        yield _result(landed, time.monotonic() - started)

    return raw


def _result(landed: LandingResult, seconds: float) -> dg.MaterializeResult[None]:
    return dg.MaterializeResult(
        metadata={
            "new_records": landed.records,
            "new_objects": landed.objects,
            "new_bytes": landed.bytes,
            "new_encoded": landed.encoded,
            "end_offsets": landed.end_offsets,
            "seconds": round(seconds, 2),
        },
        check_results=[
            dg.AssetCheckResult(
                check_name=LANDED_TO_THE_END,
                passed=landed.missing == 0,
                metadata={"missing": landed.missing, "landed_to": landed.next_offsets},
            ),
            dg.AssetCheckResult(
                check_name=NO_FOREIGN_OBJECTS,
                passed=not landed.foreign,
                severity=dg.AssetCheckSeverity.WARN,
                metadata={"keys": landed.foreign},
            ),
        ],
    )


raw_objects = [_raw_asset(record_type) for record_type in RECORD_TYPES.values()]
