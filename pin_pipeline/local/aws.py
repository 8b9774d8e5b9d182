"""What the AWS endpoints on this machine have in common."""

from __future__ import annotations

from collections.abc import Callable

import boto3
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

ANY_REGION = "us-east-1"
PROBE = Config(signature_version=UNSIGNED, connect_timeout=2, read_timeout=2, retries={"total_max_attempts": 1})


def answers(service: str, address: str, list_any: str) -> Callable[[], bool]:
    """Tells whether the endpoint of a service is ready: when the client's method `list_any` succeeds."""

    def ready() -> bool:
        try:
            client = boto3.client(service, endpoint_url=address, region_name=ANY_REGION, config=PROBE)
            getattr(client, list_any)()
        except (BotoCoreError, ClientError):
            return False
        return True

    return ready
