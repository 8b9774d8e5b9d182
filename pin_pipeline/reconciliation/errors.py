"""Errors of reconciliation."""

from __future__ import annotations

from pin_pipeline.errors import PipelineError


class ReconciliationError(PipelineError):
    """Raised when the broker, Kinesis or S3 cannot be read."""
