"""Query runner: recomputes the result tables of queries whose inputs or SQL have changed, in one commit each."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from pin_pipeline.batch.engines.base import BatchEngine
from pin_pipeline.batch.parallel import in_parallel
from pin_pipeline.batch.queries import QUERIES, Query, functions_sql
from pin_pipeline.batch.vacuum import vacuum_if_due
from pin_pipeline.reports import NO_RECORDS_YET, Check, Report, Severity
from pin_pipeline.storage.delta_commits import new_rows
from pin_pipeline.storage.delta_snapshot import Snapshot, UnknownProgressError
from pin_pipeline.storage.lake import Lake


def run_queries(engine: BatchEngine[Any], lake: Lake, queries: Sequence[Query]) -> Iterator[Report]:
    """Bring the result tables of queries up to date, all from the same versions of the cleaned tables.

    Args:
        engine: executes the queries.
        lake: location of the cleaned tables and the result tables.
        queries: the queries to run.

    Raises:
        NoSuchTableError: a cleaned table that a query reads does not exist yet.
    """
    versions = _input_versions(lake, queries)
    yield from in_parallel([partial(_run_query, engine, lake, query, versions) for query in queries], engine.cancel)


def changed_queries(names: Sequence[str], lake: Lake) -> list[Query]:
    """Return those of these queries whose inputs or SQL have changed since their result was computed."""
    queries = [QUERIES[name] for name in names]
    versions = _input_versions(lake, queries)
    return [query for query in queries if _is_changed(lake.snapshot(query.key), _inputs(query, versions))]


def _input_versions(lake: Lake, queries: Sequence[Query]) -> dict[str, int]:
    names = {name for query in queries for name in query.inputs}
    return {name: lake.require(f"cleaned/{name}").version for name in sorted(names)}


def _inputs(query: Query, versions: Mapping[str, int]) -> dict[str, Any]:
    """Return what a result depends on; it is stored in the metadata of the commit that writes the result."""
    digest = hashlib.sha256((functions_sql() + query.sql).encode()).hexdigest()
    return {"inputs": {name: versions[name] for name in query.inputs}, "sql": digest}


def _is_changed(table: Snapshot | None, inputs: Mapping[str, Any]) -> bool:
    try:
        return table is None or table.last_commit.metadata != inputs
    except UnknownProgressError:  # commits of other writers have displaced it from the log
        return True


def _run_query(engine: BatchEngine[Any], lake: Lake, query: Query, versions: dict[str, int]) -> Report:
    started = time.monotonic()
    inputs = _inputs(query, versions)
    before = table = lake.snapshot(query.key)
    changed = _is_changed(before, inputs)
    if table is None or changed:
        engine.run_query(lake, query, versions, json.dumps(inputs))
        table = lake.require(query.key)
        vacuum_if_due(lake, before, table)
    count = new_rows(table.last_commit)  # each commit replaces all rows
    return Report(
        query.key,
        count,
        {
            "recomputed": int(changed),
            "seconds": round(time.monotonic() - started, 2),
            "preview": table.preview(),
        },
        (_has_rows(lake, query, count),),
    )


def _has_rows(lake: Lake, query: Query, rows: int) -> Check:
    if rows:
        return Check("has_rows", passed=True, metadata={"rows": rows})
    if not all(lake.require(f"cleaned/{name}").rows for name in query.inputs):
        return Check("has_rows", passed=False, metadata={"reason": NO_RECORDS_YET}, severity=Severity.WARN)
    return Check("has_rows", passed=False, metadata={"reason": "no row of the input tables is selected: see the SQL"})
