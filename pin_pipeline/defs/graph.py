"""Attributes that the whole asset graph has in common, applied to it in one place."""

from collections.abc import Sequence
from datetime import timedelta
from typing import cast

import dagster as dg

from pin_pipeline.defs import assets
from pin_pipeline.defs.jobs import LAYERS
from pin_pipeline.records import RECORD_TYPES

OWNERS = ["team:data-engineering"]
DAILY = dg.FreshnessPolicy.cron(deadline_cron="0 2 * * *", lower_bound_delta=timedelta(hours=2), timezone="UTC")
"""The daily batch starts at midnight, and should have ended two hours later."""


def load_assets() -> Sequence[dg.AssetsDefinition | dg.AssetSpec]:
    """Return all assets with an owner, tags and, for those of the daily batch, a freshness policy.

    Other assets have no policy, because they are idle when nobody posts.
    """
    loaded = dg.load_assets_from_package_module(assets, include_specs=True)
    return dg.map_asset_specs(_complete, cast("Sequence[dg.AssetsDefinition | dg.AssetSpec]", loaded))


def _complete(spec: dg.AssetSpec) -> dg.AssetSpec:
    tags = {"layer": str(spec.group_name)}
    if spec.key.path[-1] in RECORD_TYPES:
        tags["domain"] = spec.key.path[-1]
    return spec.replace_attributes(
        owners=OWNERS,
        tags={**spec.tags, **tags},
        freshness_policy=DAILY if spec.group_name in LAYERS else None,
    )
