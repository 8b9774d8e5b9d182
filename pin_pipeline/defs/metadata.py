"""What the assets of every layer say in the same way."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import dagster as dg

from pin_pipeline.records import Column
from pin_pipeline.reports import Check, Metadata, Report, Severity
from pin_pipeline.settings import Settings
from pin_pipeline.spark.unity_catalog import table_name

SEVERITIES = {Severity.WARN: dg.AssetCheckSeverity.WARN, Severity.ERROR: dg.AssetCheckSeverity.ERROR}


def schema(columns: Sequence[Column]) -> dg.TableSchema:
    """The columns as the UI shows them."""
    return dg.TableSchema([dg.TableColumn(column.name, column.type, column.description) for column in columns])


def delta_table(settings: Settings, key: dg.AssetKey, columns: Sequence[Column]) -> dict[str, str | dg.TableSchema]:
    """Where a Delta table is, and what it looks like."""
    path = key.to_user_string()
    return {
        "dagster/uri": f"s3://{settings.bucket}/lake/{path}",
        "dagster/table_name": table_name(path, settings.catalog),
        "dagster/column_schema": schema(columns),
    }


def lineage(columns: Sequence[Column], upstream: dg.AssetKey) -> dg.TableColumnLineage:
    """Which raw fields each published column comes from."""
    return dg.TableColumnLineage(
        {
            column.name: [dg.TableColumnDep(asset_key=upstream, column_name=field) for field in column.fields]
            for column in columns
        }
    )


def results(reports: Iterable[Report]) -> Iterator[dg.MaterializeResult[None] | dg.AssetCheckResult]:
    """A materialization and its checks for every report."""
    for report in reports:
        key = dg.AssetKey.from_user_string(report.key)
        yield dg.MaterializeResult(
            asset_key=key, metadata={"dagster/row_count": report.rows, **_metadata(report.metadata)}
        )
        for check in report.checks:
            yield check_result(key, check)


def check_result(key: dg.AssetKey, check: Check) -> dg.AssetCheckResult:
    """The outcome of a check on an asset."""
    return dg.AssetCheckResult(**_outcome(key, check))


def check_evaluation(key: dg.AssetKey, check: Check) -> dg.AssetCheckEvaluation:
    """The outcome of a check on an asset, to report from outside a run."""
    return dg.AssetCheckEvaluation(**_outcome(key, check))


def _outcome(key: dg.AssetKey, check: Check) -> dict[str, Any]:
    return {
        "asset_key": key,
        "check_name": check.name,
        "passed": check.passed,
        "severity": SEVERITIES[check.severity],
        "metadata": _metadata(check.metadata),
    }


def _metadata(metadata: Metadata) -> dict[str, dg.MetadataValue | int | float]:
    return {name: dg.MetadataValue.md(value) if isinstance(value, str) else value for name, value in metadata.items()}
