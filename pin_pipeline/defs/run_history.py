"""The commands that streaming jobs were given, as Dagster's runs remember them: by tags."""

from collections.abc import Sequence

import dagster as dg

from pin_pipeline.streaming.supervision.decision import Command, Verb

# On runs that the supervisor asked for.
SUPERVISED = "pin_pipeline/supervised"
HISTORY = 20


def tag_of(job: str) -> str:
    """The tag of the runs that start or stop a streaming job; its value says which of both."""
    return f"pin_pipeline/{job}"


def remember(context: dg.OpExecutionContext, jobs: Sequence[str], verb: Verb) -> None:
    """Tag a run with the streaming jobs that it starts or stops, whoever asked for it."""
    context.instance.add_run_tags(context.run_id, {tag_of(job): verb.value for job in jobs})


def history(instance: dg.DagsterInstance, job: str) -> list[Command]:
    """The last commands that a streaming job was given, newest first."""
    tags = {tag_of(job): [verb.value for verb in Verb]}
    return [_command(record, job) for record in instance.get_run_records(dg.RunsFilter(tags=tags), limit=HISTORY)]


def request(job: str, verb: Verb, commands: Sequence[Command]) -> dg.RunRequest:
    """The run by which the supervisor does something to a streaming job.

    There is one for each command before it, so that a tick that is evaluated twice asks for the same run.
    """
    return dg.RunRequest(
        run_key=f"{verb} {job} after {commands[0].id if commands else 'nothing'}",
        job_name=f"{verb}_streams",
        run_config={"ops": {verb.value: {"config": {"jobs": [job]}}}},
        tags={tag_of(job): verb.value, SUPERVISED: "yes"},
    )


def _command(record: dg.RunRecord, job: str) -> Command:
    run = record.dagster_run
    return Command(
        run.run_id,
        record.create_timestamp,
        Verb(run.tags[tag_of(job)]),
        # A run that a person executes again has the tags of the one before.
        supervised=SUPERVISED in run.tags and run.parent_run_id is None,
        under_way=not run.is_finished,
    )
