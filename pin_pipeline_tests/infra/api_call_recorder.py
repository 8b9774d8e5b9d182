"""What the system asks of AWS, written down while it runs: by botocore's events, at the S3 endpoint, by the broker.

Not everything goes through botocore: Spark reads and writes S3 by Java's client, and Delta Lake's own by Rust's. All S3
clients are therefore heard at the endpoint, and Kafka's where the broker authorizes them.
"""

from __future__ import annotations

import re
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore import handlers
from botocore.model import OperationModel

from pin_pipeline.local import kafka, ports
from pin_pipeline.local.server import Server, ServerProcess
from pin_pipeline_tests.infra.policies import ACCOUNT, CLUSTER, REGION, Call

# Each is "equivalent to Apache Kafka's ... ACL": https://docs.aws.amazon.com/msk/latest/developerguide/kafka-actions.html
KAFKA_ACTIONS = {
    ("Cluster", "IDEMPOTENT_WRITE"): "WriteDataIdempotently",
    ("Cluster", "DESCRIBE"): "DescribeCluster",
    ("Cluster", "CREATE"): "CreateTopic",
    ("Topic", "DESCRIBE"): "DescribeTopic",
    ("Topic", "READ"): "ReadData",
    ("Topic", "WRITE"): "WriteData",
    ("Group", "READ"): "AlterGroup",
    ("Group", "DESCRIBE"): "DescribeGroup",
}
# The broker's own, and whether it tells the configuration of a topic that it has created.
NOT_NEEDED = {"CLUSTER_ACTION", "DESCRIBE_CONFIGS"}
AUTHORIZED = re.compile(r"is Allowed operation = (\w+) from host = \S+ on resource = (\w+):LITERAL:(\S+)")
AUTHORIZER = """\
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
super.users=User:ANONYMOUS
"""


@contextmanager
def by_botocore() -> Iterator[set[Call]]:
    """The calls of clients that are made from here on, but for those of S3, which are heard at the endpoint."""
    heard: set[Call] = set()

    def hear(params: Mapping[str, Any], model: OperationModel, **_: object) -> None:
        if model.service_model.service_name != "s3":
            action = f"{model.service_model.signing_name}:{model.name}"
            stream = params.get("StreamName")
            heard.add(Call(action, f"arn:aws:kinesis:{REGION}:{ACCOUNT}:stream/{stream}" if stream else ""))

    with pytest.MonkeyPatch.context() as patch:
        listening = [*handlers.BUILTIN_HANDLERS, ("before-parameter-build", hear)]
        patch.setattr(handlers, "BUILTIN_HANDLERS", listening)
        patch.setattr(boto3, "DEFAULT_SESSION", None)  # it has its handlers already
        yield heard


@contextmanager
def at_s3(endpoint_url: str) -> Iterator[tuple[str, set[Call]]]:
    """An endpoint that passes everything on to another one, and what was asked of it, complete when it has ended."""
    heard: set[Call] = set()
    command = [sys.executable, "-m", "pin_pipeline_tests.infra.s3_listener", endpoint_url]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as listener:
        assert listener.stdout
        lines = iter(listener.stdout)
        address = next(lines).strip()
        hearing = threading.Thread(
            target=lambda: heard.update(Call(*line.rstrip("\n").split(" ", 1)) for line in lines)
        )
        hearing.start()
        try:
            yield address, heard
        finally:
            listener.terminate()
            hearing.join()


class AuthorizingBroker:
    """A broker that writes down whatever it authorizes."""

    def __init__(self, home: Path) -> None:
        self.server = _authorizing(kafka.server(home, ports.free()), home)
        self._process = ServerProcess(home, self.server.name)

    def start(self) -> None:
        """Return when it answers."""
        self._process.start(self.server)
        self._process.wait_until_ready(self.server)

    def stop(self) -> None:
        """End it."""
        self._process.stop()

    @contextmanager
    def heard(self) -> Iterator[set[Call]]:
        """What it authorizes meanwhile; whoever asks has connected."""
        before = len(self._process.log.read_text())
        calls: set[Call] = set()
        yield calls
        for operation, record_type, name in AUTHORIZED.findall(self._process.log.read_text()[before:]):
            if operation in NOT_NEEDED:
                continue
            arn = f"arn:aws:kafka:{REGION}:{ACCOUNT}:{record_type.lower()}/{CLUSTER}"
            # Who may create any topic is not asked about the one that is created.
            resource = {"Cluster": "" if operation == "CREATE" else arn}.get(record_type, f"{arn}/{name}")
            calls.add(Call(f"kafka-cluster:{KAFKA_ACTIONS[record_type, operation]}", resource))
        calls.add(Call("kafka-cluster:Connect", f"arn:aws:kafka:{REGION}:{ACCOUNT}:cluster/{CLUSTER}"))


def _authorizing(server: Server, home: Path) -> Server:
    properties = home / "kafka" / "server.properties"
    properties.write_text(properties.read_text() + AUTHORIZER)
    java, *options = server.command
    logged = "-Dorg.slf4j.simpleLogger.log.kafka.authorizer.logger=debug"
    return Server(server.name, server.address, [java, logged, *options], server.environment, server.ready)
