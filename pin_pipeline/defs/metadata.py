"""Metadata, results and settings that the definitions of every layer share."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import dagster as dg

from pin_pipeline.records import Column
from pin_pipeline.reports import Check, Metadata, Report, Severity
from pin_pipeline.settings import Settings
from pin_pipeline.spark.unity_catalog import table_name

SETTINGS = Settings.load()
"""Read once at import, for names and addresses in descriptions and metadata; resources read their own variables."""

SEVERITIES = {Severity.WARN: dg.AssetCheckSeverity.WARN, Severity.ERROR: dg.AssetCheckSeverity.ERROR}


def table_schema(columns: Sequence[Column]) -> dg.TableSchema:
    """Return the column schema that the UI shows for a table."""
    return dg.TableSchema([dg.TableColumn(column.name, column.type, column.description) for column in columns])


def delta_table_metadata(key: dg.AssetKey, columns: Sequence[Column]) -> dict[str, str | dg.TableSchema]:
    """Return the URI, the table name and the column schema of a Delta table in the lake."""
    path = key.to_user_string()
    return {
        "dagster/uri": f"s3://{SETTINGS.bucket}/lake/{path}",
        "dagster/table_name": table_name(path, SETTINGS.catalog),
        "dagster/column_schema": table_schema(columns),
    }


def column_lineage(columns: Sequence[Column], upstream: dg.AssetKey) -> dg.TableColumnLineage:
    """Return the fields of the upstream records from which each column is derived, which Dagster+ displays."""
    return dg.TableColumnLineage(
        {
            column.name: [dg.TableColumnDep(asset_key=upstream, column_name=field) for field in column.fields]
            for column in columns
        }
    )


def report_results(reports: Iterable[Report]) -> Iterator[dg.MaterializeResult[None] | dg.AssetCheckResult]:
    """Convert each report, as soon as it is received, to a materialization and the results of its checks."""
    for report in reports:
        key = dg.AssetKey.from_user_string(report.key)
        yield dg.MaterializeResult(
            asset_key=key, metadata={"dagster/row_count": report.rows, **_metadata(report.metadata)}
        )
        for check in report.checks:
            yield check_result(key, check)


def check_result(key: dg.AssetKey, check: Check) -> dg.AssetCheckResult:
    """Convert a check of an asset to the result that an op yields."""
    return dg.AssetCheckResult(**_check_arguments(key, check))


def check_evaluation(key: dg.AssetKey, check: Check) -> dg.AssetCheckEvaluation:
    """Convert a check of an asset to the event that a sensor reports."""
    return dg.AssetCheckEvaluation(**_check_arguments(key, check))


def _check_arguments(key: dg.AssetKey, check: Check) -> dict[str, Any]:
    return {
        "asset_key": key,
        "check_name": check.name,
        "passed": check.passed,
        "severity": SEVERITIES[check.severity],
        "metadata": _metadata(check.metadata),
    }


def _metadata(metadata: Metadata) -> dict[str, dg.MetadataValue | int | float]:
    return {name: _text(value) if isinstance(value, str) else value for name, value in metadata.items()}


def _text(value: str) -> dg.MetadataValue:
    """Return Markdown for several lines (a table or a list), a link for a URL and plain text for everything else."""
    if "\n" in value:
        return dg.MetadataValue.md(value)
    return dg.MetadataValue.url(value) if value.startswith(("http://", "https://")) else dg.MetadataValue.text(value)
