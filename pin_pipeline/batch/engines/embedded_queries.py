"""Queries of the embedded engine: Spark's SQL, translated for DuckDB, over the files of the cleaned tables."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from tempfile import TemporaryDirectory

import duckdb
import pyarrow as pa
import sqlglot
from pyarrow.dataset import Dataset
from sqlglot.errors import ErrorLevel

from pin_pipeline.batch.parallel import check_interrupted
from pin_pipeline.batch.queries import Query, functions_sql
from pin_pipeline.storage.lake import STORED_PROPERTIES, Lake, delta_schema
from pin_pipeline.storage.protocol import check_protocol

MEMORY_LIMIT = "256MB"
"""Memory of one query, above which DuckDB writes to disk.

Over 3,000,000 posts, the ten queries succeed with this limit and one of them fails with 128 MB. The process then has
1.2 GiB with four queries at once, and 0.7 GiB with one: what Arrow reads ahead is not part of the limit.
"""

THREADS = 2
"""Threads of one query: four queries run at once, on two cores or more."""

CONFIG: dict[str, str | bool | int | float | list[str]] = {
    "memory_limit": MEMORY_LIMIT,
    "threads": THREADS,
    # Nothing is downloaded at run time; the extensions that the queries need are part of the package.
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
    # A name in the SQL is a registered table, never a variable of this module.
    "python_enable_replacements": False,
}


def run_query(
    lake: Lake,
    query: Query,
    versions: dict[str, int],
    metadata: str,
    connections: set[duckdb.DuckDBPyConnection],
) -> None:
    """Replace the result table of a query, in one commit.

    Args:
        lake: location of the cleaned tables and of the result table.
        query: the query.
        versions: version of each cleaned table to read, by name of the record type.
        metadata: user metadata of the commit.
        connections: receives the connection while the query runs, so that it can be interrupted.

    Raises:
        UnsupportedProtocolError: the protocol of an input table or of the result table was upgraded.
    """
    existing = lake.snapshot(query.key)
    if existing is not None:
        check_protocol(existing)
    with _connect(connections) as connection:
        for name in query.inputs:
            connection.register(name, _dataset(lake, f"cleaned/{name}", versions[name]))
        connection.execute(translate(functions_sql()))
        rows = connection.sql(translate(query.sql)).to_arrow_table()
    check_interrupted()
    declared = pa.schema(delta_schema(query.columns))
    lake.overwrite(query.key, rows.cast(declared), STORED_PROPERTIES, metadata)


def translate(sql: str) -> str:
    """Translate a statement from Spark's dialect to DuckDB's.

    All identifiers are quoted, because `user` is a reserved word in DuckDB.
    """
    [translated] = sqlglot.transpile(
        sql, read="spark", write="duckdb", identify=True, pretty=True, unsupported_level=ErrorLevel.RAISE
    )
    return translated


@contextmanager
def _connect(connections: set[duckdb.DuckDBPyConnection]) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open a database in memory, for one query."""
    with (
        TemporaryDirectory(prefix="pin-pipeline-query-") as folder,
        duckdb.connect(":memory:", config={**CONFIG, "temp_directory": folder}) as connection,
    ):
        connections.add(connection)
        try:
            connection.execute("set timezone = 'UTC'")
            yield connection
        finally:
            connections.discard(connection)


def _dataset(lake: Lake, key: str, version: int) -> Dataset:
    """Return a version of a table; DuckDB reads only the columns and row groups that a query needs."""
    table = lake.require(key)
    if table.version != version:
        table = lake.load(key)
        table.delta.load_as_version(version)
    check_protocol(table)
    return table.delta.to_pyarrow_dataset()
