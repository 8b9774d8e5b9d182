"""Streams of a test's own, and the queries that read them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
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


class Kinesis:
    """What people post to the streams of a test."""

    def __init__(self, settings: Settings) -> None:
        self.client: KinesisClient = boto3.client(
            "kinesis", endpoint_url=settings.kinesis_endpoint_url, region_name=settings.region
        )

    def post(self, stream: str, key: str, *records: Mapping[str, Any] | bytes) -> None:
        """Put records, JSON where they are rows, under one partition key."""
        data = [record if isinstance(record, bytes) else json.dumps(record).encode() for record in records]
        entries: list[Any] = [{"PartitionKey": key, "Data": one} for one in data]
        answer = self.client.put_records(StreamName=stream, Records=entries)
        assert not answer["FailedRecordCount"]


@pytest.fixture
def here(settings: Settings, streams: dict[str, str], tmp_path: Path) -> Settings:  # noqa: ARG001 - they are made
    """Streams, tables, a database and checkpoints that no other test knows."""
    database = make_conninfo(settings.postgres_url, dbname=settings.prefix)
    create_database(database)
    return replace(settings, checkpoints=(tmp_path / "checkpoints").as_uri(), postgres_url=database)


@pytest.fixture
def kinesis(here: Settings) -> Kinesis:
    """A producer."""
    return Kinesis(here)


@pytest.fixture
def lake(here: Settings) -> Lake:
    """Their tables."""
    return Lake.of(here)


@pytest.fixture
def catch_up(spark: SparkSession, here: Settings) -> Callable[..., None]:
    """Runs a streaming job, or the queries of its first tables, until they have processed all, and stops it."""

    def run(job: str = "kinesis_to_delta", settings: Settings = here, *, tables: int | None = None) -> None:
        running = list(islice(queries.QUERIES[job](spark, settings), tables))
        try:
            for query in running:
                query.processAllAvailable()
        finally:
            for query in running:
                query.stop()

    return run
