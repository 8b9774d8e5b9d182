"""Which streaming jobs there are, and which tables each keeps up to date."""

from __future__ import annotations

from dataclasses import dataclass


class UnknownStreamingJobError(Exception):
    """There is no such streaming job."""


@dataclass(frozen=True)
class StreamingJob:
    """A Spark application that never ends by itself; it runs a query for each of its tables.

    Attributes:
        name: what it is started and stopped by.
        tables: the asset keys of its tables; each of its queries is called like its table.
    """

    name: str
    description: str
    tables: tuple[str, ...]


# One application for several queries: they share a driver, which is most of what a query costs while little comes.
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
            "Cleans the Kafka topic of pins into Postgres, and counts there what is popular right now.",
            ("realtime/experimental_data", "realtime/profile_popularity", "realtime/category_trends"),
        ),
    )
}


def streaming_job(name: str) -> StreamingJob:
    """The job of a name.

    Raises:
        FleetError: there is none.
    """
    try:
        return STREAMING_JOBS[name]
    except KeyError:
        raise UnknownStreamingJobError(
            f"there is no streaming job {name!r}; there are {', '.join(STREAMING_JOBS)}"
        ) from None
