"""Tables of the source database, from which the emulator draws posts."""

import dagster as dg

from pin_pipeline.records import RECORD_TYPES, RecordType


def source_key(record_type: RecordType) -> dg.AssetKey:
    """Return the asset key of the source table of a record type."""
    return dg.AssetKey(["source", record_type.source_table])


def source_spec(record_type: RecordType) -> dg.AssetSpec:
    """Declare the source table of a record type."""
    return dg.AssetSpec(
        source_key(record_type),
        group_name="source",
        kinds={"sql", "table"},
        description=f"Table of the source database that the emulator reads. {record_type.description}",
        metadata={"dagster/table_name": record_type.source_table, "dagster/column_schema": _schema(record_type)},
    )


def _schema(record_type: RecordType) -> dg.TableSchema:
    return dg.TableSchema(
        [dg.TableColumn(field.name, type(field).__name__.lower(), field.description) for field in record_type.fields]
    )


source_tables = [source_spec(record_type) for record_type in RECORD_TYPES.values()]
