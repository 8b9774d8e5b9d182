"""Dashboards on the tables that the streaming jobs write."""

import dagster as dg

from pin_pipeline.defs.assets.realtime import realtime_tables
from pin_pipeline.defs.assets.streams import stream_tables
from pin_pipeline.defs.metadata import SETTINGS

realtime_pins = dg.AssetSpec(
    ["dashboards", "realtime_pins"],
    deps=[spec.key for spec in (*stream_tables, *realtime_tables)],
    group_name="dashboards",
    kinds={"python", "dashboard"},
    description=(
        "Web page with posts per second, the lag of each streaming job, and the top categories and posters."
        f"\n\n[{SETTINGS.dashboard_url}]({SETTINGS.dashboard_url})"
    ),
    metadata={"dashboard": dg.MetadataValue.url(SETTINGS.dashboard_url)},
)
