"""Logins that Secrets Manager keeps, in the form that RDS and MSK give them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import boto3
from pydantic import TypeAdapter, ValidationError

from pin_pipeline.aws.errors import AwsError, asking

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager.client import SecretsManagerClient


@dataclass(frozen=True)
class Login:
    """Who signs in, and by what; a secret is the JSON of it."""

    username: str
    password: str = field(repr=False)


LOGIN = TypeAdapter(Login)


def login(secret: str, region: str) -> Login:
    """The login of a secret, given by its name or ARN.

    Raises:
        AwsError: there is no such secret, it may not be read, or it holds no login.
    """
    with asking(f"read secret {secret} of Secrets Manager"):
        client: SecretsManagerClient = boto3.client("secretsmanager", region_name=region or None)
        answer = client.get_secret_value(SecretId=secret)
    try:
        return LOGIN.validate_json(answer.get("SecretString", ""))
    except ValidationError:  # which would quote what it read
        expected = '{"username": ..., "password": ...}'
        raise AwsError(f"secret {secret} holds no login; expected JSON such as {expected}") from None
