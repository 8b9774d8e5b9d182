"""What a person is told when AWS refuses or does not answer."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    EndpointConnectionError,
    NoCredentialsError,
    NoRegionError,
    PartialCredentialsError,
)

THROTTLED = "AWS was asked too often: run it again in a minute, and raise the quota if it stays so"
EXPIRED = "the credentials have expired: renew them (sign in again, or see that the role is still attached)"
INVALID = "AWS does not know these credentials: see which ones are found, by `aws sts get-caller-identity`"
DENIED = "the role may not do this: give it the action, or correct the name of what was asked for"
NO_CREDENTIALS = "there are no AWS credentials: attach a role, or sign in (`aws sso login`)"
NO_REGION = "set AWS_REGION"
UNREACHABLE = "see that the address is right and can be reached from here (locally: `pin-pipeline status`)"
ANYTHING = "see that what was named is there, and that the credentials may do this"

ADVICE = {
    **dict.fromkeys(
        ("Throttling", "ThrottlingException", "TooManyRequestsException", "RequestLimitExceeded", "SlowDown"), THROTTLED
    ),
    **dict.fromkeys(("ExpiredToken", "ExpiredTokenException", "RequestExpired"), EXPIRED),
    **dict.fromkeys(
        (
            "InvalidAccessKeyId",
            "InvalidClientTokenId",
            "InvalidSignatureException",
            "SignatureDoesNotMatch",
            "UnrecognizedClientException",
        ),
        INVALID,
    ),
    **dict.fromkeys(("AccessDenied", "AccessDeniedException", "ForbiddenException", "403"), DENIED),
    "NoSuchBucket": "there is no such bucket: create it, or set PIN_BUCKET",
}


class AwsError(Exception):
    """AWS did not do what it was asked; says what was tried, where, and what to do next."""


def advice(error: Exception) -> str:
    """What to do about an error of boto3."""
    match error:
        case ClientError():
            return ADVICE.get(error.response.get("Error", {}).get("Code", ""), ANYTHING)
        case NoCredentialsError() | PartialCredentialsError():
            return NO_CREDENTIALS
        case NoRegionError():
            return NO_REGION
        case EndpointConnectionError():
            return UNREACHABLE
        case _:
            return ANYTHING


@contextmanager
def asking(what: str) -> Iterator[None]:
    """Say of boto3's errors what was tried: `could not {what}: ...`.

    Raises:
        AwsError: AWS refused, or did not answer.
    """
    try:
        yield
    except (BotoCoreError, ClientError) as error:
        raise AwsError(f"could not {what}: {error}; {advice(error)}") from error
