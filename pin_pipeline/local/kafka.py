"""The Kafka broker: one node that is its own controller."""

from __future__ import annotations

import subprocess
from pathlib import Path

from kafka import KafkaAdminClient
from kafka.errors import KafkaError

from pin_pipeline.local import jars, ports
from pin_pipeline.local.errors import LocalError
from pin_pipeline.local.java import find_java
from pin_pipeline.local.server import Server

PROBE_MILLISECONDS = 2000
CLUSTER_ID = "cGluX3BpcGVsaW5lX2xvYw"

PROPERTIES = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@{host}:{controller}
listeners=BROKER://{host}:{port},CONTROLLER://{host}:{controller}
listener.security.protocol.map=BROKER:PLAINTEXT,CONTROLLER:PLAINTEXT
inter.broker.listener.name=BROKER
controller.listener.names=CONTROLLER
log.dirs={data}
auto.create.topics.enable=false
offsets.topic.replication.factor=1
offsets.topic.num.partitions=5
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=5
group.initial.rebalance.delay.ms=0
# Nothing ages out on a laptop: neither records nor how far they were landed.
log.retention.ms=-1
offsets.retention.minutes=2147483647
# A broker that was killed is let in again after 1.5 s instead of 9.
broker.session.timeout.ms=1500
broker.heartbeat.interval.ms=300
"""


def server(home: Path, port: int) -> Server:
    """The broker on a port; its storage is made where there is none yet."""
    folder = home / "kafka"
    folder.mkdir(parents=True, exist_ok=True)
    properties = folder / "server.properties"
    settings = PROPERTIES.format(host=ports.HOST, port=port, controller=ports.free(), data=folder / "data")
    properties.write_text(settings)
    java = [find_java(), "-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp", f"{jars.ensure('kafka')}/*"]
    if not (folder / "data" / "meta.properties").exists():
        _format([*java, "kafka.tools.StorageTool", "format", "-t", CLUSTER_ID, "-c", str(properties)])
    address = f"{ports.HOST}:{port}"
    return Server("kafka", address, [*java, "kafka.Kafka", str(properties)], {}, lambda: _answers(address))


def _format(command: list[str]) -> None:
    answer = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    if answer.returncode:
        raise LocalError(f"Kafka's storage could not be made: {(answer.stdout + answer.stderr).strip()[-500:]}")


def _answers(address: str) -> bool:
    try:
        admin = KafkaAdminClient(
            bootstrap_servers=address, bootstrap_timeout_ms=PROBE_MILLISECONDS, request_timeout_ms=PROBE_MILLISECONDS
        )
        admin.close()
    except KafkaError:
        return False
    return True
