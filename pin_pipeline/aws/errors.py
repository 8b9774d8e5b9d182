"""Errors of AWS services, with advice on what to do."""

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

from pin_pipeline.errors import PipelineError

THROTTLED = "AWS throttled the request: try again in a minute, and raise the quota if it persists"
EXPIRED = "the credentials have expired: renew them (sign in again, or check that the role is still attached)"
INVALID = "the credentials are invalid: check which ones are used (`aws sts get-caller-identity`)"
DENIED = "the role lacks the permission: allow the action, or correct the name of the resource"
NO_CREDENTIALS = "no AWS credentials were found: attach a role, or sign in (`aws sso login`)"
NO_REGION = "set AWS_REGION"
UNREACHABLE = "check that the address is correct and reachable (locally: `pin-pipeline status`)"
DEFAULT = "check that the resource exists, and that the credentials allow this"

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
    "NoSuchBucket": "create the bucket, or set PIN_BUCKET to an existing one",
}


class AwsError(PipelineError):
    """Raised when an AWS service refuses a request or does not respond."""


def advice(error: Exception) -> str:
    """Return what the user can do about an error of boto3."""
    match error:
        case ClientError():
            return ADVICE.get(error.response.get("Error", {}).get("Code", ""), DEFAULT)
        case NoCredentialsError() | PartialCredentialsError():
            return NO_CREDENTIALS
        case NoRegionError():
            return NO_REGION
        case EndpointConnectionError():
            return UNREACHABLE
        case _:
            return DEFAULT


@contextmanager
def translate_errors(action: str) -> Iterator[None]:
    """Translate boto3's errors into `could not {action}: {error}; {advice}`.

    Raises:
        AwsError: the service refuses the request or does not respond.
    """
    try:
        yield
    except (BotoCoreError, ClientError) as error:
        raise AwsError(f"could not {action}: {error}; {advice(error)}") from error
