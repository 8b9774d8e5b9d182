"""Errors of the local environment."""

from pin_pipeline.errors import PipelineError


class LocalError(PipelineError):
    """Raised when the local environment cannot do what was requested; the message says why and what to do."""
