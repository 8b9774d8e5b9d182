"""The topics, landed on S3."""

import time
from collections.abc import Iterator

import dagster as dg
from pydantic import Field

from pin_pipeline.defs.assets.external import topic_key
from pin_pipeline.defs.resources.lake import LakeResource
from pin_pipeline.defs.resources.landing import LandingResource
from pin_pipeline.records import RECORD_TYPES, RecordType
from pin_pipeline.settings import Settings


class LandingConfig(dg.Config):
    """How to land a topic."""

    fail_on_data_loss: bool = Field(
        default=True, description="Fail when records aged out of the topic before they were landed; else go on."
    )
    fill_gaps: bool = Field(
        default=False, description="Read all landed objects, and land again what is missing between them."
    )


def raw_key(record_type: RecordType) -> dg.AssetKey:
    """The landed objects of a record kind."""
    return dg.AssetKey(["raw", record_type.name])


def raw_assets(settings: Settings) -> list[dg.AssetsDefinition]:
    """One asset a topic, each lands up to the end offsets of the moment it starts."""
    return [_raw_asset(settings, record_type) for record_type in RECORD_TYPES.values()]


def _raw_asset(settings: Settings, record_type: RecordType) -> dg.AssetsDefinition:
    topic = settings.topic(record_type.name)

    @dg.asset(
        key=raw_key(record_type),
        deps=[topic_key(record_type)],
        group_name="raw",
        kinds={"s3", "json"},
        description=(
            f"{record_type.description}\n\nTopic `{topic}` as write-once objects of JSON lines, named by topic, partition and "
            "first offset. What is no JSON line is set aside with its bytes under `quarantine/`."
        ),
        metadata={"dagster/uri": f"s3://{settings.bucket}/topics/{topic}/"},
        check_specs=[
            dg.AssetCheckSpec(
                "landed_to_the_end",
                asset=raw_key(record_type),
                blocking=True,
                description="Every offset up to the end offsets read at the start is on S3.",
            )
        ],
        retry_policy=dg.RetryPolicy(max_retries=2, delay=2, backoff=dg.Backoff.EXPONENTIAL),
    )
    def raw(
        context: dg.AssetExecutionContext, config: LandingConfig, landing: LandingResource, lake: LakeResource
    ) -> Iterator[dg.MaterializeResult[None]]:
        started = time.monotonic()
        options = {"fail_on_data_loss": config.fail_on_data_loss, "fill_gaps": config.fill_gaps}
        landed = landing.land(record_type.name, lake.objects(), **options)
        context.log.info("%d records in %d objects", landed.records, landed.objects)
        yield dg.MaterializeResult(
            metadata={
                "new_records": landed.records,
                "new_objects": landed.objects,
                "new_bytes": landed.bytes,
                "new_set_aside": landed.set_aside,
                "end_offsets": landed.end_offsets,
                "seconds": round(time.monotonic() - started, 2),
            },
            check_results=[
                dg.AssetCheckResult(
                    check_name="landed_to_the_end",
                    passed=landed.missing == 0,
                    metadata={"missing": landed.missing, "landed_to": landed.next_offsets},
                )
            ],
        )

    return raw
