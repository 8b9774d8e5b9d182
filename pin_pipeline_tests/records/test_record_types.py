"""One definition of each kind: everything else follows an edit of it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import dagster as dg
import pytest
import sqlalchemy as sa
from pyspark.sql import SparkSession

from pin_pipeline.defs.assets.cleaned import cleaned_assets
from pin_pipeline.defs.assets.external import external_assets
from pin_pipeline.emulator.source import table as source_table
from pin_pipeline.gateway.routes.records import schema
from pin_pipeline.records import GEO, RECORD_TYPES, Expectation, RecordType
from pin_pipeline.records.fields import Number, Text
from pin_pipeline.records.reasons import Reason
from pin_pipeline.records.record_type import published
from pin_pipeline.records.rules import Accepted, Rejected, Validator
from pin_pipeline.records.rules_page import render_rules_page
from pin_pipeline.records.rules_version import rules_version
from pin_pipeline.settings import Settings
from pin_pipeline_tests.batch.batch_helpers import put, run_clean, table, totals
from pin_pipeline_tests.helpers.rows import geo

Session = Callable[[], SparkSession]
ALTITUDE = Number(name="altitude", description="Metres above the sea.", minimum=-500, maximum=9000, required=False)
FIELDS = (
    *(replace(field, sentinels=("Atlantis",)) if isinstance(field, Text) else field for field in GEO.fields),
    ALTITUDE,
)


@pytest.fixture
def edited(monkeypatch: pytest.MonkeyPatch) -> RecordType:
    """Geolocations with one more field and column, one more sentinel and one more expectation."""
    flat = Expectation(
        name="flat", description="Nobody posts from a summit.", sql="altitude < 8000", shown=("altitude",)
    )
    edited = replace(
        GEO,
        fields=FIELDS,
        columns=(*GEO.columns, published(FIELDS, "altitude", "double", filled=0)),
        expectations=(*GEO.expectations, flat),
    )
    monkeypatch.setitem(RECORD_TYPES, "geo", edited)
    return edited


def test_the_source_table_the_gateway_the_docs_and_the_ui_follow(edited: RecordType, settings: Settings) -> None:
    assert isinstance(source_table(edited, sa.MetaData()).c.altitude.type, sa.Double)
    assert schema(edited)["properties"]["altitude"] == {
        "description": "Metres above the sea.",
        "type": "number",
        "minimum": -500,
        "maximum": 9000,
    }
    assert "`Atlantis`" in render_rules_page(RECORD_TYPES.values())
    assert "| `altitude` | may be absent | number from -500 to 9000 |" in render_rules_page(RECORD_TYPES.values())
    [source] = [spec for spec in external_assets(settings) if spec.key.path[-1] == "geolocation_data"]
    cleaned = cleaned_assets(settings).specs_by_key[dg.AssetKey(["cleaned", "geo"])]
    for spec, last in ((source, -1), (cleaned, -4)):
        column = spec.metadata["dagster/column_schema"].columns[last]
        assert (column.name, column.description) == ("altitude", "Metres above the sea.")


def test_the_rules_follow_in_plain_python_and_are_another_version(edited: RecordType) -> None:
    rules = Validator(edited)
    fit = rules.validate(json.dumps(geo(country="Atlantis", altitude=12)).encode())
    assert isinstance(fit, Accepted)
    assert (fit.row[1], fit.row[-1], fit.unknown) == (None, 12.0, ())
    assert rules.validate(json.dumps(geo(altitude=9001)).encode()) == Rejected(Reason.INVALID_VALUE, "altitude", "9001")
    assert rules_version(edited) != rules_version(GEO)


def test_the_cleaning_follows_and_a_table_that_is_there_gets_the_column(
    edited: RecordType, settings: Settings, session: Session
) -> None:
    put(settings, "geo", [geo(1)])
    run_clean(settings, session, GEO)
    put(settings, "geo", [geo(2, country="Atlantis", altitude=12), geo(3, altitude="high")], first=1)
    report = run_clean(settings, session, edited)["cleaned/geo"]
    assert totals(report) == (3, 2, 0, 1, 0)
    rows = table(settings, "cleaned/geo", "select ind, country, altitude from t order by ind")
    assert rows == [
        {"ind": 1, "country": "Albania", "altitude": None},
        {"ind": 2, "country": None, "altitude": 12.0},
    ]
    assert table(settings, "quarantine/geo", "select field, value from t") == [{"field": "altitude", "value": '"high"'}]


def test_the_page_of_rules_in_the_docs_is_the_one_that_the_definitions_make() -> None:
    assert Path("docs/records.md").read_text() == render_rules_page(), "run `make docs`"
