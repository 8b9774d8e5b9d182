"""The quality of the cleaned tables, as checks."""

from collections.abc import Iterator
from datetime import UTC, datetime

import dagster as dg

from pin_pipeline.assets.cleaned import cleaned_key
from pin_pipeline.assets.common import check_result
from pin_pipeline.quality.inspect import DESCRIPTIONS, cleaned_tables, complete_posts, inspect
from pin_pipeline.records import KINDS, RecordKind
from pin_pipeline.resources.lake import LakeResource

BLOCKING = {"keys_unique_and_present"}


def _specs(kind: RecordKind) -> Iterator[dg.AssetCheckSpec]:
    expectations = {expectation.name: expectation.description for expectation in kind.expectations}
    for name, description in {**DESCRIPTIONS, **expectations}.items():
        yield dg.AssetCheckSpec(name, asset=cleaned_key(kind), description=description, blocking=name in BLOCKING)


@dg.multi_asset_check(specs=[spec for kind in KINDS.values() for spec in _specs(kind)], can_subset=True)
def quality(context: dg.AssetCheckExecutionContext, lake: LakeResource) -> Iterator[dg.AssetCheckResult]:
    """Scan each of the selected tables once."""
    tables, selected = cleaned_tables(lake.tables()), context.selected_asset_check_keys
    complete = complete_posts(tables)
    for kind in KINDS.values():
        key = cleaned_key(kind)
        if any(check.asset_key == key for check in selected):
            for check in inspect(kind, tables[kind.name], complete, datetime.now(UTC)):
                if dg.AssetCheckKey(key, check.name) in selected:
                    yield check_result(key, check)
