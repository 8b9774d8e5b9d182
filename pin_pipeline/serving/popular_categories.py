"""The pins of the batch in Postgres, and the view that joins them with those that the stream has brought since."""

from __future__ import annotations

from importlib.resources import files

import pyarrow as pa
import pyarrow.compute as pc

from pin_pipeline.records import PIN, Column
from pin_pipeline.records.positions import SOURCE_POSITION
from pin_pipeline.reports import Check, Report, markdown_table
from pin_pipeline.storage.delta_snapshot import Snapshot
from pin_pipeline.storage.lake import Lake
from pin_pipeline.storage.postgres import Postgres, PostgresTable, add
from pin_pipeline.streaming.postgres_sink import EXPERIMENTAL_DATA

KEY = "serving/popular_categories"
SQL = files(__package__).joinpath("popular_categories.sql").read_text()
COLUMNS = (
    Column(name="category", type="string", description="Category of the pins."),
    Column(name="pins", type="bigint", description="Pins in the category, each counted once."),
    Column(name="of_batch", type="bigint", description="Those that stand as the batch has them."),
    Column(name="since_batch", type="bigint", description="Those that came, or came again, since."),
)
BATCH_PINS = PostgresTable(
    "batch_pins",
    (*(column for column in PIN.columns if column.name in ("ind", "category")), *SOURCE_POSITION),
    ("ind",),
)
# Which version of cleaned/pin these are; a comment, so that it is read and written with the table.
VERSION = "cleaned/pin version "


def serve(lake: Lake, postgres: Postgres) -> Report:
    """Bring the view's share of the batch up to date, all in one transaction; readers see the old one or the new one.

    Raises:
        ValueError: cleaned/pin was never materialized.
        PostgresError: Postgres does not answer, or refuses.
    """
    cleaned = lake.existing("cleaned/pin")
    for table in (EXPERIMENTAL_DATA, BATCH_PINS):
        postgres.ensure(table)
    label = f"{VERSION}{cleaned.version}"
    with postgres.transaction() as connection:
        row = connection.execute("SELECT obj_description('batch_pins'::regclass)").fetchone()
        changed = row != (label,)
        if changed:
            connection.execute("DELETE FROM batch_pins")
            add(connection, BATCH_PINS, _pins(cleaned))
            connection.execute(f"COMMENT ON TABLE batch_pins IS '{label}'".encode())
        connection.execute(SQL.encode())
        [loaded] = connection.execute("SELECT count(*) FROM batch_pins").fetchone() or [0]
        answer = connection.execute("SELECT * FROM popular_categories ORDER BY pins DESC, category").fetchall()
    columns = zip(*answer, strict=True) if answer else ([] for _ in COLUMNS)
    table = pa.table({column.name: list(cells) for column, cells in zip(COLUMNS, columns, strict=True)})
    pins = sum(table["pins"].to_pylist())
    metadata = {"pins": pins, "reloaded": int(changed), "preview": markdown_table(table)}
    counts = {"rows_of_cleaned_pin": cleaned.rows, "pins_loaded": loaded}
    return Report(KEY, table.num_rows, metadata, (Check("complete", loaded == cleaned.rows, counts),))


def _pins(cleaned: Snapshot) -> pa.Table:
    """What the view needs of each pin; without the character NUL, which Postgres cannot hold and Delta can."""
    pins = cleaned.query(f"SELECT {', '.join(BATCH_PINS.names)} FROM t")  # noqa: S608 - names of ours
    place, category = pins.schema.get_field_index("category"), pins["category"].cast(pa.string())
    return pins.set_column(place, "category", pc.replace_substring(category, "\0", ""))
