"""Cleaning of the three record types with DuckDB and delta-rs: a reference for what this machine can do at best.

Like the plain Spark programs, it does less than the pipeline.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb
from deltalake import write_deltalake

from benchmarks.plain_spark import GEO_SCHEMA, PIN_SCHEMA, SENTINELS, USER_SCHEMA
from pin_pipeline.storage.object_keys import ObjectName
from pin_pipeline.storage.object_store import ObjectStore

CONCURRENT_DOWNLOADS = 4
_SCHEMAS = {"pin": PIN_SCHEMA, "geo": GEO_SCHEMA, "user": USER_SCHEMA}
_TEXTS = [name for name, type_ in (column.split() for column in PIN_SCHEMA.split(",")) if type_ == "string"]
_NULLED = ", ".join(
    f"case when {name} not in ({', '.join(map(repr, SENTINELS))}) then {name} end {name}" for name in _TEXTS
)
_SQL = {
    "pin": f"""
        with pins as (select index, {_NULLED} from records)
        select
            index as ind, unique_id, title, description,
            cast(replace(replace(follower_count, 'k', '000'), 'M', '000000') as bigint) as follower_count,
            poster_name, tag_list, is_image_or_video, image_src,
            replace(save_location, 'Local save in ', '') as save_location, category
        from pins
        where follower_count is null or regexp_matches(follower_count, '^[0-9]+[kM]?$')
    """,  # noqa: S608 - constants
    "geo": """
        select ind, country, [latitude, longitude] as coordinates, cast("timestamp" as timestamptz) as "timestamp"
        from records
        where latitude between -90 and 90 and longitude between -180 and 180
    """,
    "user": """
        select
            ind, concat_ws(' ', first_name, last_name) as user_name, age,
            cast(date_joined as timestamptz) as date_joined
        from records
        where age between 0 and 150
    """,
}


def clean(store: ObjectStore, topic: str, record_type: str, table: str, options: dict[str, str]) -> None:
    """Clean all objects of a topic, and overwrite a Delta table with the rows.

    DuckDB reads S3 with an extension that has to be downloaded; therefore the objects are copied to a local folder.

    Args:
        store: location of the objects.
        topic: name of the topic.
        record_type: name of its record type.
        table: URL of the table.
        options: storage options of delta-rs.
    """
    names = [
        name
        for partition in store.partitions("topics", topic)
        for name in store.list_from(ObjectName("topics", topic, partition, 0))
    ]
    with TemporaryDirectory(prefix="pin-pipeline-") as folder, duckdb.connect() as connection:

        def download(name: ObjectName) -> None:
            Path(folder, f"{name.partition}-{name.offset}.json").write_bytes(store.read(name))

        with ThreadPoolExecutor(CONCURRENT_DOWNLOADS) as pool:
            list(pool.map(download, names))
        connection.execute("set timezone = 'UTC'")
        columns = dict(column.split() for column in _SCHEMAS[record_type].split(","))
        records = connection.read_json(f"{folder}/*.json", format="newline_delimited", columns=columns)
        connection.register("records", records.distinct())
        rows = connection.sql(_SQL[record_type]).to_arrow_reader()
        write_deltalake(table, rows, mode="overwrite", storage_options=options)
