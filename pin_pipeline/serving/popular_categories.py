"""Pins of the daily batch in Postgres, and the view that combines them with the pins that arrived since."""

from __future__ import annotations

from importlib.resources import files

import pyarrow as pa
import pyarrow.compute as pc

from pin_pipeline.records import PIN, Column
from pin_pipeline.records.positions import SOURCE_POSITION
from pin_pipeline.reports import Check, Report, markdown_table
from pin_pipeline.storage.delta_snapshot import Snapshot
from pin_pipeline.storage.lake import Lake
from pin_pipeline.storage.postgres import Postgres, PostgresTable, insert_rows
from pin_pipeline.streaming.postgres_tables import EXPERIMENTAL_DATA

KEY = "serving/popular_categories"
SQL = files(__package__).joinpath("popular_categories.sql").read_text()
COLUMNS = (
    Column(name="category", type="string", description="Category of the pins."),
    Column(name="pins", type="bigint", description="Number of pins in the category, each counted once."),
    Column(name="of_batch", type="bigint", description="Pins whose latest record is in the daily batch."),
    Column(name="since_batch", type="bigint", description="Pins whose latest record arrived after the daily batch."),
)
BATCH_PINS = PostgresTable(
    "batch_pins",
    (*(column for column in PIN.columns if column.name in ("ind", "category")), *SOURCE_POSITION),
    ("ind",),
)
VERSION = "cleaned/pin version "
"""Prefix of the comment on `batch_pins` that says which Delta version of cleaned/pin the table was loaded from."""


def serve(lake: Lake, postgres: Postgres) -> Report:
    """Load the current version of cleaned/pin into `batch_pins`, in one transaction, and create the view.

    The load is skipped if this version has been loaded already.

    Raises:
        NoSuchTableError: cleaned/pin was never materialized.
        PostgresError: Postgres does not respond or refuses a statement.
    """
    cleaned = lake.require("cleaned/pin")
    for table in (EXPERIMENTAL_DATA, BATCH_PINS):
        postgres.ensure_table(table)
    label = f"{VERSION}{cleaned.version}"
    with postgres.transaction() as connection:
        row = connection.execute("SELECT obj_description('batch_pins'::regclass)").fetchone()
        changed = row != (label,)
        if changed:
            connection.execute("DELETE FROM batch_pins")
            insert_rows(connection, BATCH_PINS, _pins(cleaned))
            connection.execute(f"COMMENT ON TABLE batch_pins IS '{label}'".encode())
        connection.execute(SQL.encode())
        [loaded] = connection.execute("SELECT count(*) FROM batch_pins").fetchone() or [0]
        rows = connection.execute("SELECT * FROM popular_categories ORDER BY pins DESC, category").fetchall()
    columns = zip(*rows, strict=True) if rows else ([] for _ in COLUMNS)
    result = pa.table({column.name: list(cells) for column, cells in zip(COLUMNS, columns, strict=True)})
    pins = sum(result["pins"].to_pylist())
    metadata = {"pins": pins, "reloaded": int(changed), "preview": markdown_table(result)}
    counts = {"rows_of_cleaned_pin": cleaned.rows, "pins_loaded": loaded}
    return Report(KEY, result.num_rows, metadata, (Check("complete", loaded == cleaned.rows, counts),))


def _pins(cleaned: Snapshot) -> pa.Table:
    """Return the columns that the view needs, without the character NUL, which Postgres, unlike Delta, cannot store."""
    pins = cleaned.query(f"SELECT {', '.join(BATCH_PINS.names)} FROM t")  # noqa: S608 - project-defined column names
    index, category = pins.schema.get_field_index("category"), pins["category"].cast(pa.string())
    return pins.set_column(index, "category", pc.replace_substring(category, "\0", ""))
