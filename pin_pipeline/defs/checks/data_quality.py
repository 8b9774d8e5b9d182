"""Data quality checks of the cleaned tables."""

from collections.abc import Iterator
from datetime import UTC, datetime

import dagster as dg

from pin_pipeline.defs.assets.cleaned import cleaned_key
from pin_pipeline.defs.metadata import check_result
from pin_pipeline.defs.resources.interfaces import LakeResource
from pin_pipeline.quality.table_checks import DESCRIPTIONS, check_table, cleaned_tables, count_complete_posts
from pin_pipeline.records import RECORD_TYPES, RecordType

BLOCKING = {"primary_key_unique_not_null"}
"""Checks whose failure keeps the queries and the serving view from running."""


def _specs(record_type: RecordType) -> Iterator[dg.AssetCheckSpec]:
    expectations = {expectation.name: expectation.description for expectation in record_type.expectations}
    for name, description in {**DESCRIPTIONS, **expectations}.items():
        yield dg.AssetCheckSpec(
            name, asset=cleaned_key(record_type), description=description, blocking=name in BLOCKING
        )


@dg.multi_asset_check(
    specs=[spec for record_type in RECORD_TYPES.values() for spec in _specs(record_type)], can_subset=True
)
def data_quality(context: dg.AssetCheckExecutionContext, lake: LakeResource) -> Iterator[dg.AssetCheckResult]:
    """Evaluate the selected checks; each table is scanned once."""
    tables, selected = cleaned_tables(lake.tables()), context.selected_asset_check_keys
    complete_posts = count_complete_posts(tables)
    for record_type in RECORD_TYPES.values():
        key = cleaned_key(record_type)
        if any(check.asset_key == key for check in selected):
            for check in check_table(record_type, tables[record_type.name], complete_posts, datetime.now(UTC)):
                if dg.AssetCheckKey(key, check.name) in selected:
                    yield check_result(key, check)
