"""Record types: an edit of one definition changes everything that derives from it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from pin_pipeline.batch.engines.base import BatchEngine
from pin_pipeline.defs.assets.cleaned import cleaned_spec
from pin_pipeline.defs.assets.source import source_spec
from pin_pipeline.emulator.source_tables import source_table
from pin_pipeline.gateway.routes.records import record_schema
from pin_pipeline.reconciliation.reference_rules import expected_outcome
from pin_pipeline.records import GEO, RECORD_TYPES, Column, Combine, Expectation, RecordType
from pin_pipeline.records.classify import classify_values
from pin_pipeline.records.fields import Number, Text
from pin_pipeline.records.reasons import Reason
from pin_pipeline.records.record_type import published_column
from pin_pipeline.records.rules import Accepted, Rejected, Validator
from pin_pipeline.records.rules_version import rules_version
from pin_pipeline.settings import Settings
from pin_pipeline_tests.batch.batch_helpers import put, run_clean, table, totals
from pin_pipeline_tests.helpers.rows import geo
from tools.records_page import render_rules_page

Engine = BatchEngine[Any]
ALTITUDE = Number(
    name="altitude", description="Altitude above sea level in metres.", minimum=-500, maximum=9000, required=False
)
FIELDS = (
    *(replace(field, sentinels=("Atlantis",)) if isinstance(field, Text) else field for field in GEO.fields),
    ALTITUDE,
)


@pytest.fixture
def edited_geo(monkeypatch: pytest.MonkeyPatch) -> RecordType:
    """Geolocations with an additional field, column, sentinel and expectation."""
    expectation = Expectation(
        name="altitude_in_range",
        description="The altitude is below that of the highest mountains.",
        sql="altitude < 8000",
        sample_columns=("altitude",),
    )
    edited = replace(
        GEO,
        fields=FIELDS,
        columns=(*GEO.columns, published_column(FIELDS, "altitude", "double", min_filled=0)),
        expectations=(*GEO.expectations, expectation),
    )
    monkeypatch.setitem(RECORD_TYPES, "geo", edited)
    return edited


def test_edited_record_type_changes_source_table_gateway_docs_and_ui(
    edited_geo: RecordType,
) -> None:
    assert isinstance(source_table(edited_geo, sa.MetaData()).c.altitude.type, sa.Double)
    assert record_schema(edited_geo)["properties"]["altitude"] == {
        "description": "Altitude above sea level in metres.",
        "type": "number",
        "minimum": -500,
        "maximum": 9000,
    }
    assert "`Atlantis`" in render_rules_page(RECORD_TYPES.values())
    assert "| `altitude` | optional | number from -500 to 9000 |" in render_rules_page(RECORD_TYPES.values())
    for spec, last in ((source_spec(edited_geo), -1), (cleaned_spec(edited_geo), -4)):
        column = spec.metadata["dagster/column_schema"].columns[last]
        assert (column.name, column.description) == ("altitude", "Altitude above sea level in metres.")


def test_edited_record_type_changes_validation_and_rules_version(edited_geo: RecordType) -> None:
    validator = Validator(edited_geo)
    accepted = validator.validate(json.dumps(geo(country="Atlantis", altitude=12)).encode())
    assert isinstance(accepted, Accepted)
    assert (accepted.row[1], accepted.row[-1], accepted.unknown) == (None, 12.0, ())
    assert validator.validate(json.dumps(geo(altitude=9001)).encode()) == Rejected(
        Reason.INVALID_VALUE, "altitude", "9001"
    )
    assert rules_version(edited_geo) != rules_version(GEO)


def test_edited_record_type_changes_cleaning_and_adds_column_to_existing_table(
    edited_geo: RecordType, settings: Settings, engine: Engine
) -> None:
    put(settings, "geo", [geo(1)])
    run_clean(settings, engine, GEO)
    put(settings, "geo", [geo(2, country="Atlantis", altitude=12), geo(3, altitude="high")], first=1)
    report = run_clean(settings, engine, edited_geo)["cleaned/geo"]
    assert totals(report) == (3, 2, 0, 1, 0)
    rows = table(settings, "cleaned/geo", "select ind, country, altitude from t order by ind")
    assert rows == [
        {"ind": 1, "country": "Albania", "altitude": None},
        {"ind": 2, "country": None, "altitude": 12.0},
    ]
    assert table(settings, "quarantine/geo", "select field, value from t") == [{"field": "altitude", "value": '"high"'}]


def test_column_of_a_renamed_field_has_the_value_of_the_new_or_the_former_name() -> None:
    names = ("country_name", "country")
    fields = tuple(field for field in GEO.fields if field.name != "country")
    fields += tuple(Text(name=name, description="Country.", required=False) for name in names)
    country = Column(name="country", type="string", description="Country.", fields=names, combine=Combine.FIRST)
    columns = tuple(country if column.name == "country" else column for column in GEO.columns)
    renamed = replace(GEO, fields=fields, columns=columns)
    records = [geo(1), geo(2, country_name="Angola"), {**geo(3), "country": None}]
    former, both, neither = (json.dumps(record).encode() for record in records)
    new = both.replace(b'"country": "Albania", ', b"")
    values = [former, both, new, neither]
    classified = classify_values(renamed, values).field("country").to_pylist()
    assert classified == ["Albania", "Angola", "Angola", None]
    assert expected_outcome(renamed, values).rows["country"].to_pylist() == classified
    assert "| `country` | string | `country_name`, otherwise `country` | 100% |" in render_rules_page([renamed])


def test_rules_page_in_docs_equals_generated_page() -> None:
    assert Path("docs/reference/records.md").read_text() == render_rules_page(), "run `make docs`"
