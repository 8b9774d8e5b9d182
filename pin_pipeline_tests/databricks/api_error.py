"""Error responses of the fake workspace."""

from __future__ import annotations

from http import HTTPStatus


class WorkspaceApiError(Exception):
    """Raised when the workspace refuses a request."""

    def __init__(self, status: HTTPStatus, code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.body = status, {"error_code": code, "message": message}
