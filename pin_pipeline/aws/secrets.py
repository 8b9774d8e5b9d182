"""Credentials in Secrets Manager, in the format of RDS and MSK."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pydantic import TypeAdapter, ValidationError

from pin_pipeline.aws import clients
from pin_pipeline.aws.errors import AwsError, translate_errors

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager.client import SecretsManagerClient


@dataclass(frozen=True)
class Credentials:
    """User name and password; the content of a secret is their JSON object."""

    username: str
    password: str = field(repr=False)


CREDENTIALS = TypeAdapter(Credentials)


def read_credentials(secret: str, region: str) -> Credentials:
    """Read the credentials in a secret.

    Args:
        secret: name or ARN of the secret.
        region: AWS region of the secret; empty for boto3's default.

    Raises:
        AwsError: the secret cannot be read, or its content is not credentials.
    """
    with translate_errors(f"read secret {secret} from Secrets Manager"):
        client: SecretsManagerClient = clients.client("secretsmanager", region)
        response = client.get_secret_value(SecretId=secret)
    try:
        return CREDENTIALS.validate_json(response.get("SecretString", ""))
    except ValidationError:  # not as the cause: it quotes the secret
        expected = '{"username": ..., "password": ...}'
        raise AwsError(f"secret {secret} does not contain credentials: expected JSON such as {expected}") from None
