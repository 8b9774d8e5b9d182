"""Query runner: recomputes the result tables of queries whose inputs or SQL have changed, in one commit each."""

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
    """Bring the result tables of queries up to date, all from the same versions of the cleaned tables.

    Args:
        session: returns the Spark session; called only if an input has changed.
        lake: location of the cleaned tables and the result tables.
        queries: the queries to run.

    Raises:
        NoSuchTableError: a cleaned table that a query reads does not exist yet.
    """
    names = {name for query in queries for name in query.inputs}
    versions = {name: lake.require(f"cleaned/{name}").version for name in sorted(names)}
    yield from in_parallel([partial(_run_query, session, lake, query, versions) for query in queries])


def _run_query(session: Callable[[], SparkSession], lake: Lake, query: Query, versions: dict[str, int]) -> Report:
    started = time.monotonic()
    inputs = {
        "inputs": {name: versions[name] for name in query.inputs},
        "sql": hashlib.sha256((functions_sql() + query.sql).encode()).hexdigest(),
    }
    table = lake.snapshot(query.key)
    changed = table is None or table.last_commit.metadata != inputs
    if table is None or changed:
        rows = _compute(session().newSession(), lake, query, versions)
        overwrite(rows.coalesce(1), lake, query.key, json.dumps(inputs))
        table = lake.require(query.key)
    count = int(table.last_commit.metrics["numOutputRows"])  # each commit replaces all rows
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


def _compute(spark: SparkSession, lake: Lake, query: Query, versions: dict[str, int]) -> DataFrame:
    for name in query.inputs:
        reader = spark.read.format("delta").option("versionAsOf", versions[name])
        reader.load(lake.path(f"cleaned/{name}")).createOrReplaceTempView(name)
    spark.sql(functions_sql())
    result = spark.sql(query.sql)
    return result.select(
        *(
            F.col(column.name).cast(column.type).alias(column.name, metadata={"comment": column.description})
            for column in query.columns
        )
    )
