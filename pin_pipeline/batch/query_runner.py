"""Answer queries from the cleaned tables: recomputed when these changed, written in one commit, else left alone."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F  # noqa: N812

from pin_pipeline.batch.parallel import in_parallel
from pin_pipeline.batch.queries import Query, functions_sql
from pin_pipeline.reports import Check, Report
from pin_pipeline.spark.delta_writes import overwrite
from pin_pipeline.storage.lake import Lake


def run_queries(session: Callable[[], SparkSession], lake: Lake, queries: Sequence[Query]) -> Iterator[Report]:
    """Bring the tables of these queries up to date, all from the same versions of the cleaned tables.

    Raises:
        ValueError: a cleaned table that a query reads was never materialized.
    """
    inputs = {name for query in queries for name in query.inputs}
    versions = {name: lake.existing(f"cleaned/{name}").version for name in sorted(inputs)}
    yield from in_parallel([partial(_run_query, session, lake, query, versions) for query in queries])


def _run_query(session: Callable[[], SparkSession], lake: Lake, query: Query, versions: dict[str, int]) -> Report:
    started = time.monotonic()
    basis = {
        "inputs": {name: versions[name] for name in query.inputs},
        "sql": hashlib.sha256((functions_sql() + query.sql).encode()).hexdigest(),
    }
    table = lake.snapshot(query.key)
    changed = table is None or table.last_commit.metadata != basis
    if table is None or changed:
        rows = _rows(session().newSession(), lake, query, versions)
        overwrite(rows.coalesce(1), lake, query.key, json.dumps(basis))
        table = lake.existing(query.key)
    count = int(table.last_commit.metrics["numOutputRows"])  # of a commit that has replaced all rows
    return Report(
        query.key,
        count,
        {
            "recomputed": int(changed),
            "seconds": round(time.monotonic() - started, 2),
            "preview": table.preview(),
        },
        (Check("has_rows", count > 0, {"rows": count}),),
    )


def _rows(spark: SparkSession, lake: Lake, query: Query, versions: dict[str, int]) -> DataFrame:
    for name in query.inputs:
        reader = spark.read.format("delta").option("versionAsOf", versions[name])
        reader.load(lake.path(f"cleaned/{name}")).createOrReplaceTempView(name)
    spark.sql(functions_sql())
    answered = spark.sql(query.sql)
    return answered.select(
        *(
            F.col(column.name).cast(column.type).alias(column.name, metadata={"comment": column.description})
            for column in query.columns
        )
    )
