"""How the service refuses."""

from __future__ import annotations


class KinesisError(Exception):
    """A request that is refused, with the error's name on AWS."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
