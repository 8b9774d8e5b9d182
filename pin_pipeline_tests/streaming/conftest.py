"""Streams, tables and checkpoints per test, and the queries of the streaming jobs."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from psycopg.conninfo import make_conninfo
from pyspark.sql import SparkSession

from pin_pipeline.local.postgres import create_database
from pin_pipeline.settings import Settings
from pin_pipeline.storage.lake import Lake
from pin_pipeline.streaming import queries

if TYPE_CHECKING:
    from mypy_boto3_kinesis.client import KinesisClient


class KinesisProducer:
    """Producer for the streams of a test."""

    def __init__(self, settings: Settings) -> None:
        self.client: KinesisClient = boto3.client(
            "kinesis", endpoint_url=settings.kinesis_endpoint_url, region_name=settings.region
        )

    def post(self, stream: str, key: str, *records: Mapping[str, Any] | bytes) -> None:
        """Put records with one partition key: bytes unchanged, rows as JSON."""
        data = [record if isinstance(record, bytes) else json.dumps(record).encode() for record in records]
        entries: list[Any] = [{"PartitionKey": key, "Data": one} for one in data]
        response = self.client.put_records(StreamName=stream, Records=entries)
        assert not response["FailedRecordCount"]


def delete_table(lake: Lake, key: str) -> None:
    """Delete the folder of a table."""
    objects = boto3.resource("s3", endpoint_url=lake.endpoint_url).Bucket(lake.bucket).objects
    objects.filter(Prefix=f"{lake.root}/{key}/").delete()


@pytest.fixture
def isolated(settings: Settings, streams: dict[str, str], tmp_path: Path) -> Settings:  # noqa: ARG001 - creates the streams
    """Settings with streams, tables, a database and checkpoints per test."""
    database = make_conninfo(settings.postgres_url, dbname=settings.prefix)
    create_database(database)
    return settings.model_copy(update={"checkpoints": (tmp_path / "checkpoints").as_uri(), "postgres_url": database})


@pytest.fixture
def kinesis(isolated: Settings) -> KinesisProducer:
    """Producer for the streams of the test."""
    return KinesisProducer(isolated)


@pytest.fixture
def lake(isolated: Settings) -> Lake:
    """Lake with the tables of the test."""
    return Lake.of(isolated)


@pytest.fixture
def catch_up(streaming_session: SparkSession, isolated: Settings) -> Callable[..., None]:
    """Run the queries of a streaming job, or those of its first tables, until they have processed all records."""

    def run(job: str = "kinesis_to_delta", settings: Settings = isolated, *, tables: int | None = None) -> None:
        running = list(islice(queries.QUERIES[job](streaming_session, settings), tables))
        try:
            for query in running:
                query.processAllAvailable()
        finally:
            for query in running:
                query.stop()

    return run
