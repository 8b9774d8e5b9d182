"""A Databricks workspace: what there is to go wrong when it is asked something, and what to do then."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from databricks.sdk.errors import PermissionDenied, Unauthenticated
from databricks.sdk.errors.base import DatabricksError
from requests import RequestException

from pin_pipeline.databricks.errors import WorkspaceError


@contextmanager
def asking(host: str, what: str) -> Iterator[None]:
    """Say of an error inside the block what was asked of the workspace.

    Raises:
        WorkspaceError: it refused, failed, or did not answer.
    """
    tried = f"could not {what} at {host}"
    try:
        yield
    except (Unauthenticated, ValueError) as error:  # the SDK's error where a client secret is refused
        advice = "check DATABRICKS_TOKEN, or DATABRICKS_CLIENT_ID and DATABRICKS_CLIENT_SECRET"
        raise WorkspaceError(f"{tried}: the credentials were refused ({_said(error)}); {advice}") from error
    except PermissionDenied as error:
        advice = "let the service principal create jobs, and use the instance profile"
        raise WorkspaceError(f"{tried}: that is not allowed ({_said(error)}); {advice}") from error
    except DatabricksError as error:
        raise WorkspaceError(f"{tried}: {_said(error)}") from error
    except (RequestException, TimeoutError) as error:
        advice = "check DATABRICKS_HOST, and that the workspace is up"
        raise WorkspaceError(f"{tried}: it does not answer ({error}); {advice}") from error


def _said(error: Exception) -> str:
    """What an error says, without the SDK's account of its configuration."""
    return str(error).partition(" Config: ")[0]
