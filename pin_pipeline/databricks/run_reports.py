"""Reports that a batch run on Databricks sends while it is running."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from pin_pipeline.databricks.run_parameters import REPORT
from pin_pipeline.databricks.runs import RemoteRun
from pin_pipeline.reports import Report

LINK = "databricks_run"
"""Metadata entry with the URL of the run."""


class RunReports:
    """Reader of the reports of one run.

    Args:
        run: the run.
        messages: returns all messages that were received so far; Dagster Pipes keeps them for the whole session.
    """

    def __init__(self, run: RemoteRun, messages: Callable[[], Sequence[object]]) -> None:
        self._run, self._messages, self._read = run, messages, 0

    def until_end(self, poll_seconds: float) -> Iterator[Report]:
        """Yield each report soon after it is received, until the run has ended."""
        while self._run.is_active():
            time.sleep(poll_seconds)
            yield from self.new()

    def new(self) -> Iterator[Report]:
        """Yield the reports that were received since the last call, with a link to the run."""
        for message in self._messages()[self._read :]:
            self._read += 1
            report = REPORT.validate_python(message)
            yield replace(report, metadata={**report.metadata, LINK: self._run.url})
