"""Errors of the Kinesis emulator."""

from __future__ import annotations

from pin_pipeline.errors import PipelineError


class KinesisRequestError(PipelineError):
    """Raised when a request is refused.

    Attributes:
        code: name of the error on AWS, such as `ResourceNotFoundException`.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def invalid_argument(message: str) -> KinesisRequestError:
    """Return the error for an argument that makes no sense for this stream or shard."""
    return KinesisRequestError("InvalidArgumentException", message)


def validation_error(message: str) -> KinesisRequestError:
    """Return the error for a value outside the range that the API defines."""
    return KinesisRequestError("ValidationException", message)


def not_found(message: str) -> KinesisRequestError:
    """Return the error for a stream or shard that does not exist."""
    return KinesisRequestError("ResourceNotFoundException", message)
