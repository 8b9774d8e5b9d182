"""The Kafka broker: a single node that is also its own controller."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from kafka import KafkaAdminClient
from kafka.errors import KafkaError

from pin_pipeline.local import jars, ports
from pin_pipeline.local.errors import LocalError
from pin_pipeline.local.server import ServerSpec
from pin_pipeline.settings import child_environment
from pin_pipeline.spark.java import UTF_8, find_java

PROBE_TIMEOUT_MS = 2000
CLASS_ARCHIVE = Path(sys.prefix, "kafka-classes.jsa")
"""Archive of Kafka's classes, recorded by `pin_pipeline.local.class_archives`; Kafka also runs without it."""
CLUSTER_ID = "cGluX3BpcGVsaW5lX2xvYw"

PROPERTIES = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@{host}:{controller}
listeners=BROKER://{host}:{port},CONTROLLER://{host}:{controller}
listener.security.protocol.map=BROKER:PLAINTEXT,CONTROLLER:PLAINTEXT
inter.broker.listener.name=BROKER
controller.listener.names=CONTROLLER
# Relative to the home, whose path may contain a comma.
log.dirs=kafka/data
auto.create.topics.enable=false
offsets.topic.replication.factor=1
offsets.topic.num.partitions=5
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=5
group.initial.rebalance.delay.ms=0
# Neither records nor the committed offsets of landing expire on a laptop.
log.retention.ms=-1
offsets.retention.minutes=2147483647
# A killed broker can rejoin after 1.5 s instead of 9 s.
broker.session.timeout.ms=1500
broker.heartbeat.interval.ms=300
"""


def server(home: Path, port: int) -> ServerSpec:
    """Define the broker, after formatting its storage if it is new."""
    folder = home / "kafka"
    folder.mkdir(parents=True, exist_ok=True)
    properties = folder / "server.properties"
    properties.write_text(PROPERTIES.format(host=ports.HOST, port=port, controller=ports.free_port()))
    java = _java()
    if not (folder / "data" / "meta.properties").exists():
        _format_storage([*java, "kafka.tools.StorageTool", "format", "-t", CLUSTER_ID, "-c", str(properties)], home)
    address = f"{ports.HOST}:{port}"
    return ServerSpec(
        "kafka", address, port, [*java, "kafka.Kafka", str(properties)], UTF_8, lambda: _is_ready(address)
    )


def _java() -> list[str]:
    """Return the Java command, without the main class."""
    # With an archive that does not exist, Java would not even use that of its own classes.
    archive = [f"-XX:SharedArchiveFile={CLASS_ARCHIVE}"] if CLASS_ARCHIVE.exists() else []
    options = ["-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xlog:cds=off", "-Xlog:cds+dynamic=off"]
    return [find_java(), *options, *archive, "-cp", f"{jars.ensure('kafka')}/*"]


def _format_storage(command: list[str], home: Path) -> None:
    result = subprocess.run(  # noqa: S603
        command, cwd=home, env=child_environment(UTF_8), capture_output=True, text=True, check=False
    )
    if result.returncode:
        raise LocalError(f"Kafka could not format its storage: {(result.stdout + result.stderr).strip()[-500:]}")


def _is_ready(address: str) -> bool:
    try:
        admin = KafkaAdminClient(
            bootstrap_servers=address, bootstrap_timeout_ms=PROBE_TIMEOUT_MS, request_timeout_ms=PROBE_TIMEOUT_MS
        )
        admin.close()
    except KafkaError:
        return False
    return True
