"""What is in quarantine."""

from collections.abc import Iterator

import dagster as dg

from pin_pipeline.assets.cleaned import cleaned_key
from pin_pipeline.assets.common import delta_table, results
from pin_pipeline.assets.streams import table_key
from pin_pipeline.environment import Settings
from pin_pipeline.quality.summary import COLUMNS, FAIL_ABOVE, KEY, RATE, WARN_ABOVE, summarize
from pin_pipeline.records import KINDS
from pin_pipeline.records.reasons import DESCRIPTIONS
from pin_pipeline.resources.lake import LakeResource

SUMMARY = dg.AssetKey.from_user_string(KEY)


def quarantine_asset(settings: Settings) -> dg.AssetsDefinition:
    """The records in quarantine, counted by reason and day."""
    reasons = "\n".join(f"* `{reason}`: {description}" for reason, description in DESCRIPTIONS.items())

    @dg.asset(
        key=SUMMARY,
        deps=[key(kind) for key in (cleaned_key, table_key) for kind in KINDS.values()],
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
