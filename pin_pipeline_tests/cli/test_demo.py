"""Query results as the command `demo` prints them."""

from __future__ import annotations

import pytest

from pin_pipeline.batch.queries import QUERIES
from pin_pipeline.cli.demo import print_results
from pin_pipeline.cli.rows import Row

MAX_LINES = 90
"""The rest of the demo's output takes 17 lines, and half of the results have fewer rows than are printed."""


def results(rows: int) -> dict[str, list[Row]]:
    """Return a result of this many rows for each query."""
    return {
        query.key: [{column.name: f"value {number}" for column in query.columns} for number in range(rows)]
        for query in QUERIES.values()
    }


def test_demo_prints_few_rows_and_the_command_that_shows_the_others(capsys: pytest.CaptureFixture[str]) -> None:
    print_results(results(rows=400))
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) <= MAX_LINES
    for query in QUERIES.values():
        assert query.question in lines
        assert f"4 of 400 rows; all: pin-pipeline show {query.key} --rows 400" in lines
    print_results(results(rows=4))
    assert "pin-pipeline show" not in capsys.readouterr().out
