"""AWS endpoints on this machine: ministack's, one service a process, so that none waits for another's work."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping

import boto3
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from pin_pipeline.local import ports
from pin_pipeline.local.server import Server

ANY_REGION = "us-east-1"
PROBE = Config(signature_version=UNSIGNED, connect_timeout=2, read_timeout=2, retries={"total_max_attempts": 1})


def server(service: str, port: int, environment: Mapping[str, str], list_any: str) -> Server:
    """The endpoint of a service, ready when the client's method `list_any` succeeds.

    It is run as an ASGI app: its own command would listen to the whole network.
    """
    address = f"http://{ports.HOST}:{port}"
    common = {"SERVICES": service, "GATEWAY_PORT": str(port), "IOT_MTLS_ENABLED": "0", "LOG_LEVEL": "WARNING"}
    command = [sys.executable, "-m", "hypercorn", "ministack.app:app", "--bind", f"{ports.HOST}:{port}"]
    options = ["--workers", "0", "--keep-alive", "75", "--log-level", "WARNING"]
    ready = _answers(service, address, list_any)
    return Server(service, address, [*command, *options], {**common, **environment}, ready)


def _answers(service: str, address: str, list_any: str) -> Callable[[], bool]:
    def ready() -> bool:
        try:
            client = boto3.client(service, endpoint_url=address, region_name=ANY_REGION, config=PROBE)
            getattr(client, list_any)()
        except (BotoCoreError, ClientError):
            return False
        return True

    return ready
