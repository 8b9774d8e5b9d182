"""Registry of the streaming jobs and the tables that each keeps up to date."""

from __future__ import annotations

from dataclasses import dataclass

from pin_pipeline.errors import PipelineError


class UnknownStreamingJobError(PipelineError):
    """Raised when no streaming job has the given name."""


@dataclass(frozen=True)
class StreamingJob:
    """A long-running Spark application with one query per table.

    Attributes:
        name: name that starts and stops the job.
        description: one sentence for the UI.
        tables: asset keys of its tables; each query has the name of its table.
    """

    name: str
    description: str
    tables: tuple[str, ...]


STREAMING_JOBS = {
    job.name: job
    for job in (
        StreamingJob(
            "kinesis_to_delta",
            "Cleans the Kinesis streams of pins, geolocations and users into Delta tables.",
            ("streams/pin", "streams/geo", "streams/user"),
        ),
        StreamingJob(
            "kafka_to_postgres",
            "Cleans the Kafka topic of pins into Postgres, and counts recent posts by poster and by category there.",
            ("realtime/experimental_data", "realtime/profile_popularity", "realtime/category_trends"),
        ),
    )
}
"""All streaming jobs by name. Queries share an application, because at low volume the driver is most of their cost."""


def streaming_job(name: str) -> StreamingJob:
    """Return the job with the given name.

    Raises:
        UnknownStreamingJobError: no job has this name.
    """
    try:
        return STREAMING_JOBS[name]
    except KeyError:
        raise UnknownStreamingJobError(
            f"unknown streaming job {name!r}: expected {' or '.join(STREAMING_JOBS)}"
        ) from None
