"""Errors of Databricks, in a module that does not import its SDK, which takes long."""

from pin_pipeline.errors import PipelineError


class WorkspaceError(PipelineError):
    """Raised when a request to a workspace fails; the message says what was requested, where, and what to do."""
