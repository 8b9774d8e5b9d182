"""Terminal output shared by the commands."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from pin_pipeline.cli import console
from pin_pipeline.cli.console import row_progress


@pytest.mark.parametrize(
    ("seconds", "lines"),
    [(0.0, ["loading ...", "loading: 1000 rows", "loading: 2000 rows"]), (3_600.0, ["loading ..."])],
)
def test_row_progress_prints_lines_at_intervals_if_the_output_is_not_a_terminal(
    monkeypatch: pytest.MonkeyPatch, seconds: float, lines: list[str]
) -> None:
    monkeypatch.setattr(console, "PROGRESS_SECONDS", seconds)
    output = io.StringIO()
    monkeypatch.setattr(console, "progress", Console(file=output))
    with row_progress("loading") as update:
        update(1_000)
        update(2_000)
    assert output.getvalue().splitlines() == lines


def test_row_progress_updates_and_finally_erases_one_line_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    output = io.StringIO()
    monkeypatch.setattr(console, "progress", Console(file=output, force_terminal=True, highlight=False))
    with row_progress("loading") as update:
        update(1_000)
    erase_line = "\x1b[1A\x1b[2K"
    assert "loading: 1000 rows" in output.getvalue()
    assert output.getvalue().endswith(erase_line)
