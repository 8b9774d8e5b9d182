"""Base class of every error that the pipeline expects and reports in one sentence."""


class PipelineError(Exception):
    """Raised when an operation fails for a reason the user can act on.

    The message says what failed, on what, what was expected, and what to do. The command line prints it without a
    traceback and exits with code 1.
    """
