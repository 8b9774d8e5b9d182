"""Recorder of the AWS API calls of the pipeline: from botocore's events, at the S3 endpoint, and in the Kafka broker.

Not all clients use botocore: Spark accesses S3 with a Java client, and Delta Lake with a Rust client. Therefore S3
calls are recorded at the endpoint, and Kafka calls where the broker authorizes them.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

import boto3
import pytest
from botocore import handlers
from botocore.model import OperationModel

from pin_pipeline.aws import clients
from pin_pipeline.local import kafka, ports
from pin_pipeline.local.server import ServerProcess, ServerSpec
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
IGNORED_OPERATIONS = {"CLUSTER_ACTION", "DESCRIBE_CONFIGS"}
"""The broker's own, and the check whether it may return the configuration of a topic that it has created."""
AUTHORIZED = re.compile(r"is Allowed operation = (\w+) from host = \S+ on resource = (\w+):LITERAL:(\S+)")
AUTHORIZER = """\
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
super.users=User:ANONYMOUS
"""


@contextmanager
def record_botocore_calls() -> Iterator[set[Call]]:
    """Record the calls of clients that are created in the block, except those of S3."""
    recorded: set[Call] = set()

    def record(params: Mapping[str, Any], model: OperationModel, **_: object) -> None:
        if model.service_model.service_name != "s3":
            action = f"{model.service_model.signing_name}:{model.name}"
            stream = params.get("StreamName")
            recorded.add(Call(action, f"arn:aws:kinesis:{REGION}:{ACCOUNT}:stream/{stream}" if stream else ""))

    with pytest.MonkeyPatch.context() as patch:
        recording = [*handlers.BUILTIN_HANDLERS, ("before-parameter-build", record)]
        patch.setattr(handlers, "BUILTIN_HANDLERS", recording)
        patch.setattr(boto3, "DEFAULT_SESSION", None)  # existing sessions have their handlers already
        clients._local_session.cache_clear()
        yield recorded
    clients._local_session.cache_clear()


@contextmanager
def record_s3_calls(endpoint_url: str) -> Iterator[tuple[str, set[Call]]]:
    """Start a proxy of an S3 endpoint; yield its address, and the set of calls, which is complete after the block."""
    recorded: set[Call] = set()
    with NamedTemporaryFile("r") as lines:
        command = [sys.executable, "-m", "pin_pipeline_tests.infra.s3_call_recorder", endpoint_url, lines.name]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as proxy:
            assert proxy.stdout
            try:
                yield proxy.stdout.readline().strip(), recorded
            finally:
                proxy.kill()  # some tests make child processes ignore SIGTERM
        recorded.update(Call(*line.rstrip("\n").split(" ", 1)) for line in lines)


class AuthorizingBroker:
    """A broker that logs every operation that it authorizes."""

    def __init__(self, home: Path) -> None:
        self.server = _with_authorizer(kafka.server(home, ports.free_port()), home)
        self._process = ServerProcess(home, self.server.name)

    def start(self) -> None:
        """Start it, and wait until it is ready."""
        self._process.start(self.server)
        self._process.wait_until_ready(self.server)

    def stop(self) -> None:
        """Stop it."""
        self._process.stop()

    @contextmanager
    def recorded_calls(self) -> Iterator[set[Call]]:
        """Record the calls in the block; every client also needs kafka-cluster:Connect."""
        before = len(self._process.log.read_text())
        calls: set[Call] = set()
        yield calls
        for operation, resource_type, name in AUTHORIZED.findall(self._process.log.read_text()[before:]):
            if operation in IGNORED_OPERATIONS:
                continue
            arn = f"arn:aws:kafka:{REGION}:{ACCOUNT}:{resource_type.lower()}/{CLUSTER}"
            # The right to create topics is checked on the cluster, and not on the topic that is created.
            resource = {"Cluster": "" if operation == "CREATE" else arn}.get(resource_type, f"{arn}/{name}")
            calls.add(Call(f"kafka-cluster:{KAFKA_ACTIONS[resource_type, operation]}", resource))
        calls.add(Call("kafka-cluster:Connect", f"arn:aws:kafka:{REGION}:{ACCOUNT}:cluster/{CLUSTER}"))


def _with_authorizer(server: ServerSpec, home: Path) -> ServerSpec:
    properties = home / "kafka" / "server.properties"
    properties.write_text(properties.read_text() + AUTHORIZER)
    java, *options = server.command
    log_authorizer = "-Dorg.slf4j.simpleLogger.log.kafka.authorizer.logger=debug"
    return replace(server, command=[java, log_authorizer, *options])
