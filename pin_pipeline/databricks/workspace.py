"""Client of a Databricks workspace, and the translation of its errors."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from databricks.sdk import WorkspaceClient
from databricks.sdk.config import Config
from databricks.sdk.errors import PermissionDenied, Unauthenticated
from databricks.sdk.errors.base import DatabricksError
from requests import RequestException

from pin_pipeline.databricks.errors import WorkspaceError
from pin_pipeline.settings import DatabricksSettings

REQUEST_SECONDS = 10
JOB_PRIVILEGES = "the right to create jobs and to use the instance profile"


@contextmanager
def translate_errors(host: str, action: str, privileges: str = JOB_PRIVILEGES) -> Iterator[None]:
    """Translate errors of requests in the block into WorkspaceError.

    Args:
        host: URL of the workspace.
        action: the action for the message, as in "could not {action} at {host}".
        privileges: what the service principal needs to be granted for it.

    Raises:
        WorkspaceError: the workspace refused the request, failed, or did not respond.
    """
    failure = f"could not {action} at {host}"
    try:
        yield
    except (Unauthenticated, ValueError) as error:  # the SDK raises ValueError if a client secret is refused
        advice = "check DATABRICKS_TOKEN, or DATABRICKS_CLIENT_ID and DATABRICKS_CLIENT_SECRET"
        raise WorkspaceError(f"{failure}: the credentials were refused ({_message(error)}); {advice}") from error
    except PermissionDenied as error:
        advice = f"grant the service principal {privileges}"
        raise WorkspaceError(f"{failure}: permission denied ({_message(error)}); {advice}") from error
    except DatabricksError as error:
        raise WorkspaceError(f"{failure}: {_message(error)}") from error
    except (RequestException, TimeoutError) as error:
        advice = "check DATABRICKS_HOST, and that the workspace is running"
        raise WorkspaceError(f"{failure}: it did not respond ({error}); {advice}") from error


def connect(settings: DatabricksSettings, timeout_seconds: int) -> WorkspaceClient:
    """Log in to the workspace that the settings name, as its service principal or with its token.

    Raises:
        SettingError: a variable is not set.
        WorkspaceError: the credentials are refused.
    """
    host = settings.required("host")
    login: dict[str, Any] = (
        {"client_id": settings.client_id, "client_secret": settings.required("client_secret")}
        if settings.client_id
        else {"token": settings.required("token")}
    )
    with translate_errors(host, "log in"):
        return client_with_timeouts(Config(host=host, **login), timeout_seconds)


def client_with_timeouts(config: Config, timeout_seconds: int) -> WorkspaceClient:
    """Return a client that retries for this long when the workspace does not respond."""
    config.http_timeout_seconds = REQUEST_SECONDS
    config.retry_timeout_seconds = timeout_seconds
    return WorkspaceClient(config=config)


def _message(error: Exception) -> str:
    """Return the message of an error without the client configuration that the SDK appends."""
    return str(error).partition(" Config: ")[0]
