"""Logins that Secrets Manager keeps, in the form that RDS and MSK give them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import boto3
import msgspec
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from pin_pipeline.aws.errors import AwsError, asking

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager.client import SecretsManagerClient


@dataclass(frozen=True)
class Login:
    """Who signs in, and by what; a secret is the JSON of it."""

    username: str
    password: str = field(repr=False)


def login(secret: str, region: str) -> Login:
    """The login of a secret, given by its name or ARN.

    Raises:
        AwsError: there is no such secret, it may not be read, or it holds no login.
    """
    with asking(f"read secret {secret} of Secrets Manager"):
        client: SecretsManagerClient = boto3.client("secretsmanager", region_name=region or None)
        answer = client.get_secret_value(SecretId=secret)
    try:
        return msgspec.json.decode(answer.get("SecretString", ""), type=Login)
    except msgspec.DecodeError:  # which would quote what it read
        expected = '{"username": ..., "password": ...}'
        raise AwsError(f"secret {secret} holds no login; expected JSON such as {expected}") from None


def with_login(url: str, user: Login) -> str:
    """A database URL with a login in it.

    Raises:
        AwsError: it is no URL.
    """
    try:
        whole = make_url(url).set(username=user.username, password=user.password)
    except ArgumentError:  # which would quote it
        raise AwsError("the database's URL is none; expected one like mysql+pymysql://host/pinterest_data") from None
    return whole.render_as_string(hide_password=False)
