"""Jobs: daily batch, replay, rebuild, emulation, and operation of topics, connector and streaming jobs."""

import sys
from collections.abc import Mapping
from dataclasses import asdict
from functools import partial
from typing import Literal

import dagster as dg
from pydantic import Field

from pin_pipeline.defs.assets.gateway import GATEWAY
from pin_pipeline.defs.assets.kinesis import kinesis_key
from pin_pipeline.defs.assets.source import source_key
from pin_pipeline.defs.assets.topics import topic_key
from pin_pipeline.defs.checks.reconciliation import STREAM_SPECS
from pin_pipeline.defs.resources.interfaces import (
    GatewayResource,
    KafkaResource,
    KinesisResource,
    LandingResource,
    SourceResource,
    StreamingJobsResource,
)
from pin_pipeline.defs.stream_supervisor import tag_run
from pin_pipeline.emulator.emulator import SendCounts, create_pace, emulate
from pin_pipeline.emulator.gateway_client import Gateway
from pin_pipeline.emulator.sampling import Draws
from pin_pipeline.emulator.sinks import Target, create_sink
from pin_pipeline.records import PIN, RECORD_TYPES
from pin_pipeline.settings import Settings
from pin_pipeline.streaming.jobs import STREAMING_JOBS, streaming_job
from pin_pipeline.streaming.supervision.decision import Verb

SHARDS = 2
"""Shards of a new Kinesis stream."""
LAYERS = ("raw", "cleaned", "quarantine", "queries", "serving")
ASSETS = {Target.KAFKA: topic_key, Target.POSTS: topic_key, Target.KINESIS: kinesis_key}
"""Assets that the records of a target are written to."""
RECONCILE_ALL = {"reconcile": {"config": {"from_the_beginning": True}}}

daily_batch = dg.define_asset_job(
    "daily_batch",
    selection=dg.AssetSelection.groups(*LAYERS) | dg.AssetSelection.checks(*(spec.key for spec in STREAM_SPECS)),
    description=(
        "Lands the new records of the topics on S3, cleans them, and runs the queries whose input has changed. Also "
        "updates the serving view, and runs all data quality and reconciliation checks. It has no date partitions: a "
        "run processes everything since the last commit, so a missed day needs no backfill. `rebuild` recreates the "
        "tables, and `replay_quarantine` validates rejected records again."
    ),
)
replay_quarantine = dg.define_asset_job(
    "replay_quarantine",
    selection=dg.AssetSelection.groups(*LAYERS[1:]),
    config={"ops": {"cleaned": {"config": {"replay": True}}, **RECONCILE_ALL}},
    description=(
        "Validates the quarantined records again; run it after a rule was changed. Records that the current rules "
        "accept are published, and the queries on them are run. The others stay in the quarantine, with the reason for "
        "which the current rules reject them."
    ),
)
rebuild = dg.define_asset_job(
    "rebuild",
    selection=dg.AssetSelection.groups(*LAYERS),
    config={
        "ops": {
            **{f"raw__{record_type}": {"config": {"fill_gaps": True}} for record_type in RECORD_TYPES},
            "cleaned": {"config": {"rebuild": True}},
            **RECONCILE_ALL,
        }
    },
    description=(
        "Recreates the cleaned tables and the quarantine from the landed objects and runs all queries; run it after "
        "the definition of a column was changed. Objects that are missing on S3 are landed again first, if the topics "
        "still have their records. Readers see the old tables until the new ones are complete."
    ),
)


class EmulationConfig(dg.Config):
    """Options of the emulated posts."""

    draws: int = Field(
        default=1000, ge=0, description="Number of posts to draw; each is a pin, a geolocation and a user record."
    )
    seed: int = Field(default=100, description="Seed of the random draws; the same seed draws the same posts.")
    first_row: int = Field(default=0, ge=0, description="First row of the source tables to draw from, in key order.")
    last_row: int | None = Field(
        default=None,
        ge=0,
        description="Last row to draw from; by default 11,000, or the last row of the tables if `sequential` is true.",
    )
    sequential: bool = Field(
        default=False, description="Post every row once, in key order, instead of random draws; ignores `draws`."
    )
    paced: bool = Field(default=False, description="Wait 0 or 1 second, at random, before each post.")
    posts_per_second: float | None = Field(default=None, gt=0, description="Maximum number of posts per second.")
    target: Literal["kafka-and-kinesis", "kafka", "kinesis", "kinesis-one-stream", "posts", "files", "console"] = Field(
        default="kafka-and-kinesis",
        description=(
            "Destination of the records: `kafka` (three topics), `kinesis` (three streams), by default one after the "
            "other, `kinesis-one-stream` (one stream; the partition key names the record type) or `posts` (one request "
            "per record to /pin/, /geo/ and /user/, which the gateway writes to the topics). `files` and `console` "
            "write to the machine of the run."
        ),
    )

    def targets(self) -> tuple[Target, ...]:
        """Return the sinks that receive the records, one after the other."""
        both = self.target == "kafka-and-kinesis"
        return (Target.KAFKA, Target.KINESIS) if both else (Target(self.target),)

    def row_draws(self) -> Draws:
        """Return the draws that the options describe."""
        draws = None if self.sequential else self.draws
        return Draws(draws, self.seed, self.first_row, self.last_row, self.sequential)


@dg.op
def post(
    context: dg.OpExecutionContext,
    config: EmulationConfig,
    source: SourceResource,
    gateway: GatewayResource,
    kafka: KafkaResource,
) -> None:
    """Draw rows of the source tables and post them to the gateway."""
    database = source.database()
    for record_type in RECORD_TYPES.values():
        rows = {"dagster/row_count": database.count(record_type.name)}
        context.log_event(dg.AssetMaterialization(source_key(record_type), metadata=rows))
    settings = Settings.load().model_copy(update={"prefix": kafka.prefix})
    with Gateway(gateway.url, settings.gateway_api_keys) as client:
        counts = {
            target: emulate(
                database,
                create_sink(target, settings, client, sys.stdout, settings.home / "emulated"),
                config.row_draws(),
                progress=partial(context.log.info, f"{target}: %d draws posted"),
                pace=create_pace(config.posts_per_second, paced=config.paced),
            )
            for target in config.targets()
        }
    _report_counts(context, counts)


def _report_counts(context: dg.OpExecutionContext, counts: Mapping[Target, Mapping[str, SendCounts]]) -> None:
    posts = sum(sent[PIN.name].sent for sent in counts.values())
    context.log_event(dg.AssetMaterialization(GATEWAY, metadata={"posts": posts}))
    for target, of_target in counts.items():
        context.add_output_metadata({f"{target} {name}": asdict(count) for name, count in of_target.items()})
        if key := ASSETS.get(target):
            for record_type in RECORD_TYPES.values():
                metadata = asdict(of_target[record_type.name])
                context.log_event(dg.AssetMaterialization(key(record_type), metadata=metadata))


@dg.job(
    description=(
        "Emulates users: draws rows of the source tables and posts them to the gateway, which writes them to the "
        "topics and the Kinesis streams."
    )
)
def emulation() -> None:
    """Post the draws."""
    post()


class StreamingJobsConfig(dg.Config):
    """Selection of streaming jobs."""

    jobs: list[str] = Field(
        default=[*STREAMING_JOBS],
        description=f"Names of the streaming jobs: {', '.join(STREAMING_JOBS)}. By default all.",
    )


@dg.op
def start(context: dg.OpExecutionContext, config: StreamingJobsConfig, streaming_jobs: StreamingJobsResource) -> None:
    """Start the selected streaming jobs that are not running."""
    jobs = [streaming_job(name).name for name in config.jobs]
    tag_run(context, jobs, Verb.START)
    for name in jobs:
        context.log.info("%s %s", name, "was started" if streaming_jobs.jobs().start(name) else "is running already")


@dg.op
def stop(context: dg.OpExecutionContext, config: StreamingJobsConfig, streaming_jobs: StreamingJobsResource) -> None:
    """Stop the selected streaming jobs that are running."""
    jobs = [streaming_job(name).name for name in config.jobs]
    tag_run(context, jobs, Verb.STOP)
    for name in jobs:
        context.log.info("%s %s", name, "was stopped" if streaming_jobs.jobs().stop(name) else "was not running")


@dg.job(
    description=(
        "Starts streaming jobs and ends; the streaming jobs keep running. The sensor `stream_supervisor` starts them "
        "again if they fail."
    )
)
def start_streams() -> None:
    """Start streaming jobs."""
    start()


@dg.job(description="Stops streaming jobs. They stay stopped until `start_streams` is run.")
def stop_streams() -> None:
    """Stop streaming jobs."""
    stop()


@dg.op
def create(context: dg.OpExecutionContext, kafka: KafkaResource, kinesis: KinesisResource) -> None:
    """Create the topic and the stream of each record type, unless they exist."""
    context.log.info("created topics: %s", ", ".join(kafka.create_topics([*RECORD_TYPES])) or "none")
    streams = kinesis.streams()
    names = [kinesis.stream(record_type) for record_type in RECORD_TYPES]
    created = [name for name in names if streams.create(name, SHARDS)]
    context.log.info("created streams: %s", ", ".join(created) or "none")


@dg.job(description="Creates the Kafka topics and Kinesis streams that do not exist yet; needed once per AWS account.")
def create_topics_and_streams() -> None:
    """Create topics and streams."""
    create()


@dg.op
def restart(context: dg.OpExecutionContext, landing: LandingResource) -> None:
    """Restart the connector that lands the topics."""
    context.log.info(landing.restart())


@dg.job(
    description="Restarts the connector that lands the topics after it has failed; MSK Connect does not restart it."
)
def restart_connector() -> None:
    """Restart the connector."""
    restart()


ASSET_JOBS = [daily_batch, replay_quarantine, rebuild]
OP_JOBS = [emulation, start_streams, stop_streams, create_topics_and_streams, restart_connector]
