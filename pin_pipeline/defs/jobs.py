"""What is run by name: the day, the emulation of the people who post, and start and stop of the streaming jobs."""

import sys
from dataclasses import asdict, replace

import dagster as dg
from pydantic import Field

from pin_pipeline import settings as environment
from pin_pipeline.defs.assets.external import GATEWAY, source_key, topic_key
from pin_pipeline.defs.assets.streams import kinesis_key
from pin_pipeline.defs.checks.reconciliation import STREAM_SPECS
from pin_pipeline.defs.resources.gateway import GatewayResource
from pin_pipeline.defs.resources.kafka import KafkaResource
from pin_pipeline.defs.resources.kinesis import KinesisResource
from pin_pipeline.defs.resources.landing import LandingResource
from pin_pipeline.defs.resources.source import SourceResource
from pin_pipeline.defs.resources.streaming_jobs import StreamingJobsResource
from pin_pipeline.defs.run_history import remember
from pin_pipeline.emulator.emulator import emulate, pace_of
from pin_pipeline.emulator.gateway_client import Gateway
from pin_pipeline.emulator.sampling import Draws
from pin_pipeline.emulator.sinks import TO_TOPICS, Target, sink_of
from pin_pipeline.records import PIN, RECORD_TYPES
from pin_pipeline.streaming.jobs import STREAMING_JOBS, streaming_job
from pin_pipeline.streaming.supervision.decision import Verb

SHARDS = 2
LAYERS = ("raw", "cleaned", "quarantine", "queries", "serving")
FROM_THE_BEGINNING = {"audited": {"config": {"from_the_beginning": True}}}

daily_batch = dg.define_asset_job(
    "daily_batch",
    selection=dg.AssetSelection.groups(*LAYERS) | dg.AssetSelection.checks(*(spec.key for spec in STREAM_SPECS)),
    description="The day: land what is on the topics, clean what is new, answer the questions that it changes.",
)
replay_quarantine = dg.define_asset_job(
    "replay_quarantine",
    selection=dg.AssetSelection.groups(*LAYERS[1:]),
    config={"ops": {"cleaned": {"config": {"replay": True}}, **FROM_THE_BEGINNING}},
    description=(
        "After a rule was changed: judge the records in quarantine again, publish those that fit by now, once, and "
        "answer the questions that it changes. The rest stays, under the reason that applies today."
    ),
)
rebuild = dg.define_asset_job(
    "rebuild",
    selection=dg.AssetSelection.groups(*LAYERS),
    config={
        "ops": {
            **{f"raw__{record_type}": {"config": {"fill_gaps": True}} for record_type in RECORD_TYPES},
            "cleaned": {"config": {"rebuild": True}},
            **FROM_THE_BEGINNING,
        }
    },
    description=(
        "Backfill: land again what is missing on S3 as far as the topics still have it, make the cleaned tables and "
        "the quarantine anew from the objects alone, and answer all questions. Readers see the old table or the new "
        "one. After a change of what a column is made of, this is what brings the older rows up to date."
    ),
)


class EmulationConfig(dg.Config):
    """How people post."""

    draws: int = Field(
        default=1000, ge=0, description="How many posts to draw; each is a pin, a geo and a user record."
    )
    seed: int = Field(default=100, description="Seed of the draws; the same seed draws the same posts.")
    first_row: int = Field(default=0, ge=0, description="Draw from this row of the source tables on, in key order.")
    last_row: int | None = Field(
        default=None, ge=0, description="Draw up to this row; by default 11,000, or in sequence the last one."
    )
    sequential: bool = Field(default=False, description="Every row once, in key order, instead of draws at random.")
    paced: bool = Field(default=False, description="Wait 0 or 1 s before each post, as the original emulator did.")
    posts_per_second: float | None = Field(default=None, gt=0, description="Draw so many posts a second at most.")
    target: Target = Field(
        default=Target.KAFKA,
        description=(
            "Where the gateway puts the records: kafka (three topics), kinesis (three streams), kinesis-one-stream "
            "(the partition key tells the kind), or posts (POST /pin/, /geo/ and /user/, one record a request)."
        ),
    )


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
    settings = replace(environment.load(), prefix=kafka.prefix)
    with Gateway(gateway.url) as client:
        counts = emulate(
            database,
            sink_of(config.target, settings, client, sys.stdout, settings.home / "emulated"),
            Draws(
                None if config.sequential else config.draws,
                config.seed,
                config.first_row,
                config.last_row,
                config.sequential,
            ),
            progress=lambda done: context.log.info("%d draws posted", done),
            pace=pace_of(config.posts_per_second, paced=config.paced),
        )
    context.log_event(dg.AssetMaterialization(GATEWAY, metadata={"posts": counts[PIN.name].sent}))
    context.add_output_metadata({record_type: asdict(count) for record_type, count in counts.items()})
    if config.target in TO_TOPICS:
        for record_type in RECORD_TYPES.values():
            context.log_event(
                dg.AssetMaterialization(topic_key(record_type), metadata=asdict(counts[record_type.name]))
            )
    if config.target is Target.KINESIS:
        for record_type in RECORD_TYPES.values():
            context.log_event(
                dg.AssetMaterialization(kinesis_key(record_type), metadata=asdict(counts[record_type.name]))
            )


@dg.job(description="People post: draws of the source tables go through the gateway to the topics or the streams.")
def emulation() -> None:
    """Post the draws."""
    post()


class StreamsConfig(dg.Config):
    """Which streaming jobs."""

    jobs: list[str] = Field(
        default=[*STREAMING_JOBS], description=f"Some of {', '.join(STREAMING_JOBS)}; by default all."
    )


@dg.op
def start(context: dg.OpExecutionContext, config: StreamsConfig, streaming_jobs: StreamingJobsResource) -> None:
    """Start the jobs that do not run."""
    jobs = [streaming_job(name).name for name in config.jobs]
    remember(context, jobs, Verb.START)
    for name in jobs:
        context.log.info("%s %s", name, "is started" if streaming_jobs.jobs().start(name) else "runs already")


@dg.op
def stop(context: dg.OpExecutionContext, config: StreamsConfig, streaming_jobs: StreamingJobsResource) -> None:
    """Stop the jobs that run."""
    jobs = [streaming_job(name).name for name in config.jobs]
    remember(context, jobs, Verb.STOP)
    for name in jobs:
        context.log.info("%s %s", name, "was stopped" if streaming_jobs.jobs().stop(name) else "did not run")


@dg.job(description="Starts streaming jobs, which then run by themselves; the supervisor sees to it that they go on.")
def start_streams() -> None:
    """Start streaming jobs."""
    start()


@dg.job(description="Stops streaming jobs, until a person starts them again by `start_streams`.")
def stop_streams() -> None:
    """Stop streaming jobs."""
    stop()


@dg.op
def create(context: dg.OpExecutionContext, kafka: KafkaResource, kinesis: KinesisResource) -> None:
    """Create the topics and streams of all kinds that are not there yet."""
    context.log.info("created topics: %s", ", ".join(kafka.create_topics([*RECORD_TYPES])) or "none")
    streams = kinesis.streams()
    created = [
        kinesis.stream(record_type)
        for record_type in RECORD_TYPES
        if streams.create(kinesis.stream(record_type), SHARDS)
    ]
    context.log.info("created streams: %s", ", ".join(created) or "none")


@dg.job(description="Creates the topics and Kinesis streams that are not there yet, as in a new AWS account.")
def create_topics_and_streams() -> None:
    """Create topics and streams."""
    create()


@dg.op
def restart(context: dg.OpExecutionContext, landing: LandingResource) -> None:
    """Restart the connector."""
    context.log.info(landing.restart())


@dg.job(description="Restarts the connector that lands the topics, after it has failed: MSK Connect starts none anew.")
def restart_connector() -> None:
    """Restart the connector."""
    restart()
