"""What is in quarantine."""

from collections.abc import Iterator

import dagster as dg

from pin_pipeline.defs.assets.cleaned import cleaned_key
from pin_pipeline.defs.assets.streams import table_key
from pin_pipeline.defs.metadata import delta_table, results
from pin_pipeline.defs.resources.lake import LakeResource
from pin_pipeline.quarantine.summary import COLUMNS, FAIL_ABOVE, KEY, RATE, WARN_ABOVE, summarize
from pin_pipeline.records import RECORD_TYPES
from pin_pipeline.records.reasons import DESCRIPTIONS
from pin_pipeline.settings import Settings

SUMMARY = dg.AssetKey.from_user_string(KEY)


def quarantine_asset(settings: Settings) -> dg.AssetsDefinition:
    """The records in quarantine, counted by reason and day."""
    reasons = "\n".join(f"* `{reason}`: {description}" for reason, description in DESCRIPTIONS.items())

    @dg.asset(
        key=SUMMARY,
        deps=[key(record_type) for key in (cleaned_key, table_key) for record_type in RECORD_TYPES.values()],
        group_name="quarantine",
        kinds={"python", "deltalake"},
        description=(
            "Records that do not fit, by day, kind, source and reason. The records themselves, with their source "
            "positions and bytes, are in `lake/quarantine/{pin,geo,user}` and, those of the streams, in "
            "`lake/quarantine/streams/{pin,geo,user}`; `pin-pipeline quarantine` lists and shows them, the job "
            f"`replay_quarantine` judges those of the topics again.\n\n{reasons}"
        ),
        metadata=delta_table(settings, SUMMARY, COLUMNS),
        check_specs=[
            dg.AssetCheckSpec(
                RATE,
                asset=SUMMARY,
                description=(
                    "Of the records that came by the topics on the last day on which any came, the share in "
                    f"quarantine: warns above {WARN_ABOVE:.0%}, fails above {FAIL_ABOVE:.0%}."
                ),
            )
        ],
    )
    def summary(lake: LakeResource) -> Iterator[dg.MaterializeResult[None] | dg.AssetCheckResult]:
        yield from results([summarize(lake.tables())])

    return summary
