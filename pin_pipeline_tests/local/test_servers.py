"""Up, down and everything between: the servers of one home."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Iterator
from dataclasses import replace
from urllib.parse import urlsplit

import boto3
import pytest

from pin_pipeline.kafka.connection import KafkaConnection
from pin_pipeline.local import ports
from pin_pipeline.settings import Settings
from pin_pipeline.storage.object_keys import ObjectName
from pin_pipeline.storage.object_store import ObjectStore
from pin_pipeline_tests.helpers.rows import geo
from pin_pipeline_tests.helpers.topics import produce
from pin_pipeline_tests.local.conftest import Machine, new_machine

SERVERS = {"kafka", "s3", "kinesis", "postgres", "gateway", "dashboard"}
SECRET = "not-to-be-seen"  # noqa: S105 - looked for, and not to be found


@pytest.fixture
def taken() -> Iterator[str]:
    """A port that another program has."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield str(listener.getsockname()[1])


def port(address: str) -> int:
    found = urlsplit(address if "//" in address else f"//{address}").port
    assert found
    return found


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    """A machine on which all servers run, for tests that only look at it."""
    with new_machine(tmp_path_factory.mktemp("running")) as machine:
        machine.variables["AWS_SECRET_ACCESS_KEY"] = SECRET
        machine.succeed("up")
        yield machine


def test_up_again_changes_nothing(running: Machine) -> None:
    pids, addresses = running.pids(), running.addresses()
    assert set(pids) == SERVERS
    running.succeed("up")
    assert (running.pids(), running.addresses()) == (pids, addresses)
    assert running.run("status").stdout.count(" up ") == len(SERVERS)


def test_two_ups_at_once_start_each_server_once_and_down_stops_all(machine: Machine) -> None:
    assert machine.run("status").returncode == 1
    with machine.start("up") as one, machine.start("up") as other:
        outputs = one.communicate(), other.communicate()
    assert (one.returncode, other.returncode) == (0, 0), outputs
    for pid in machine.pids().values():
        assert os.getpgid(pid) == pid
    assert machine.succeed("down").split(None, 1)[0] == "stopped"
    assert all(ports.is_free(port(address)) for address in machine.addresses().values())
    assert machine.succeed("down") == "nothing was running\n"
    assert machine.run("status").returncode == 1


def test_what_was_written_outlives_a_kill_of_every_server(machine: Machine, local_environment: Settings) -> None:
    machine.succeed("up")
    addresses = machine.addresses()
    settings = replace(
        local_environment,
        prefix="pinterest",
        bucket="pin-pipeline",
        kafka=KafkaConnection(addresses["PIN_KAFKA_BOOTSTRAP"]),
        s3_endpoint_url=addresses["PIN_S3_ENDPOINT_URL"],
    )
    name = ObjectName("topics", "pinterest.pin", 0, 0)
    ObjectStore.of(settings).put_once(name, b"kept")
    produce(settings, "geo", [geo(1), geo(2)])
    for pid in machine.pids().values():
        os.killpg(pid, signal.SIGKILL)
    assert machine.run("status").returncode == 1
    machine.succeed("up")
    assert machine.addresses() == addresses
    assert ObjectStore.of(settings).read(name) == b"kept"
    assert "pinterest.geo: 2 new records in 1 objects" in machine.succeed("land")


def test_a_port_that_was_asked_for_and_is_taken_is_an_error(machine: Machine, taken: str) -> None:
    error = machine.fail("up", PIN_S3_PORT=taken)
    assert f"port {taken}, which PIN_S3_PORT asks for, is taken by another program" in error
    assert "70000" in machine.fail("up", PIN_S3_PORT="70000")
    assert machine.pids() == {}


def test_servers_are_found_at_other_ports_where_the_usual_ones_are_taken(machine: Machine) -> None:
    machine.variables.clear()
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(("127.0.0.1", 8082))
            listener.listen()
        except OSError:
            pass  # somebody else has it already, which serves as well
        machine.succeed("up")
        assert port(machine.addresses()["PIN_GATEWAY_URL"]) != 8082
        assert machine.addresses()["PIN_GATEWAY_URL"] in machine.succeed("env")


def test_no_port_is_given_twice() -> None:
    # Far more than there are chances to draw the same one of the kernel's 28,000 again.
    given = [ports.free() for _ in range(2_000)]
    assert len(set(given)) == len(given)


def test_servers_listen_to_this_machine_only(running: Machine) -> None:
    own = socket.gethostbyname(socket.gethostname())
    others = {own, *(f"127.0.0.{number}" for number in (2, 3))} - {"127.0.0.1"}
    for address in running.addresses().values():
        for host in others:
            with socket.socket() as client:
                assert client.connect_ex((host, port(address)))


def test_a_server_that_cannot_start_says_so_with_its_own_words(machine: Machine) -> None:
    data = machine.home / "kafka" / "data"
    data.mkdir(parents=True)
    (data / "meta.properties").write_text("cluster.id=another\nversion=1\nnode.id=9\n")
    error = machine.fail("up")
    assert "kafka ended while it was starting" in error
    assert str(machine.home / "logs" / "kafka.log") in error


def test_credentials_are_not_needed_and_not_written_anywhere(running: Machine) -> None:
    client = boto3.client(
        "s3",
        endpoint_url=running.addresses()["PIN_S3_ENDPOINT_URL"],
        aws_access_key_id="any",
        aws_secret_access_key="any",  # noqa: S106 - the local endpoint takes any
    )
    assert [bucket["Name"] for bucket in client.list_buckets()["Buckets"]] == ["pin-pipeline"]
    texts = [path.read_bytes() for path in running.home.rglob("*") if path.is_file()]
    assert not any(SECRET.encode() in text for text in texts)
