"""The HTTP gateway, through which all posts enter the pipeline."""

import dagster as dg

from pin_pipeline.defs.assets.source import source_key
from pin_pipeline.defs.metadata import SETTINGS
from pin_pipeline.records import RECORD_TYPES

GATEWAY = dg.AssetKey(["gateway", "posts"])

gateway = dg.AssetSpec(
    GATEWAY,
    deps=[source_key(record_type) for record_type in RECORD_TYPES.values()],
    group_name="gateway",
    kinds={"python", "api"},
    description=(
        "Posts that clients send to the HTTP gateway, which has the API of the Kafka REST Proxy v2. The job "
        "`emulation` is such a client: it draws rows of the source tables and posts them."
    ),
    metadata={"dagster/uri": f"{SETTINGS.gateway_url}/topics"},
)
