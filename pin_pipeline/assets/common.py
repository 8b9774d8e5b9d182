"""What the assets of every layer say in the same way."""

from collections.abc import Sequence

import dagster as dg

from pin_pipeline.records import Column


def schema(columns: Sequence[Column]) -> dg.TableSchema:
    """The columns as the UI shows them."""
    return dg.TableSchema([dg.TableColumn(column.name, column.type, column.description) for column in columns])


def lineage(columns: Sequence[Column], upstream: dg.AssetKey) -> dg.TableColumnLineage:
    """Which raw fields each published column comes from."""
    return dg.TableColumnLineage(
        {
            column.name: [dg.TableColumnDep(asset_key=upstream, column_name=field) for field in column.fields]
            for column in columns
        }
    )
