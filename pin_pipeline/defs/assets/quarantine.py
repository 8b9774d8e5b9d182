"""Summary of the quarantined records."""

from collections.abc import Iterator

import dagster as dg

from pin_pipeline.defs.assets.cleaned import cleaned_key
from pin_pipeline.defs.assets.streams import stream_table_key
from pin_pipeline.defs.metadata import delta_table_metadata, report_results
from pin_pipeline.defs.resources.interfaces import LakeResource
from pin_pipeline.quarantine.summary import COLUMNS, FAIL_ABOVE, KEY, RATE, WARN_ABOVE, summarize
from pin_pipeline.records import RECORD_TYPES
from pin_pipeline.records.reasons import DESCRIPTIONS

SUMMARY = dg.AssetKey.from_user_string(KEY)
REASONS = "\n".join(f"* `{reason}`: {description}" for reason, description in DESCRIPTIONS.items())


@dg.asset(
    key=SUMMARY,
    deps=[key(record_type) for key in (cleaned_key, stream_table_key) for record_type in RECORD_TYPES.values()],
    group_name="quarantine",
    kinds={"python", "deltalake"},
    description=(
        "Number of rejected records by day, record type, source and reason. The records themselves, with their source "
        "positions and bytes, are in `lake/quarantine/{pin,geo,user}` (from the topics) and "
        "`lake/quarantine/streams/{pin,geo,user}` (from the streams). `pin-pipeline quarantine` lists and shows them. "
        f"The job `replay_quarantine` validates those from the topics again.\n\nReasons:\n\n{REASONS}"
    ),
    metadata=delta_table_metadata(SUMMARY, COLUMNS),
    check_specs=[
        dg.AssetCheckSpec(
            RATE,
            asset=SUMMARY,
            description=(
                "Share of quarantined records among the records of the topics, on the last day on which any arrived: "
                f"warns above {WARN_ABOVE:.0%}, fails above {FAIL_ABOVE:.0%}."
            ),
        )
    ],
)
def summary(lake: LakeResource) -> Iterator[dg.MaterializeResult[None] | dg.AssetCheckResult]:
    """Count the records in the quarantine."""
    yield from report_results([summarize(lake.tables())])
