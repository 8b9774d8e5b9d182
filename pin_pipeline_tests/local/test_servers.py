"""Local servers of one home: up, down, status, ports and durability."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from urllib.parse import urlsplit

import boto3
import psutil
import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from pin_pipeline.local import ports, postgres_programs
from pin_pipeline.settings import Settings
from pin_pipeline.storage.object_keys import ObjectName
from pin_pipeline.storage.object_store import ObjectStore
from pin_pipeline_tests.helpers.command_line import CommandLine, new_command_line
from pin_pipeline_tests.helpers.other_user import needs_root
from pin_pipeline_tests.helpers.rows import geo
from pin_pipeline_tests.helpers.topics import produce

SERVERS = {"kafka", "s3", "kinesis", "postgres", "gateway", "dashboard"}
DEFAULT_GATEWAY_PORT = 8082
SECRET = "a-secret-key"  # noqa: S105 - the test searches for it


@pytest.fixture
def occupied_port() -> Iterator[str]:
    """Occupy a port as another program would."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield str(listener.getsockname()[1])


def port_of(address: str) -> int:
    port = urlsplit(address if "//" in address else f"//{address}").port
    assert port
    return port


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CommandLine]:
    """Start all servers once, for tests that leave them running."""
    with new_command_line(tmp_path_factory.mktemp("running")) as command_line:
        command_line.variables["AWS_SECRET_ACCESS_KEY"] = SECRET
        command_line.succeed("up")
        yield command_line


def test_up_twice_keeps_the_running_servers(running: CommandLine) -> None:
    pids, addresses = running.pids(), running.addresses()
    assert set(pids) == SERVERS
    running.succeed("up")
    assert (running.pids(), running.addresses()) == (pids, addresses)
    assert {server["server"]: server["state"] for server in running.read_json("status")} == dict.fromkeys(SERVERS, "up")


def test_password_of_postgres_is_in_no_output_state_file_log_or_process(running: CommandLine) -> None:
    password = (running.home / "postgres.pass").read_text().strip().rpartition(":")[2].encode()
    assert len(password) >= 32
    printed = running.succeed("env") + running.run("status").stdout + running.succeed("up")
    assert "PIN_POSTGRES_URL" in printed
    assert password not in printed.encode()
    files = [path for path in running.home.rglob("*") if path.is_file() and path.name != "postgres.pass"]
    assert running.home / "servers.env" in files
    assert [path for path in files if password in path.read_bytes()] == []
    for process in psutil.process_iter():
        with suppress(psutil.Error):  # it has ended, or belongs to another user
            assert password.decode() not in f"{process.cmdline()} {process.environ()}"


def test_up_restarts_a_running_postgres_that_requires_no_password(running: CommandLine) -> None:
    pids, url = running.pids(), running.addresses()["PIN_POSTGRES_URL"]
    with psycopg.connect(url) as connection:
        connection.execute("CREATE TABLE kept ()")
    (running.home / "postgres.pass").unlink()
    (running.home / "postgres" / "pg_hba.conf").write_text("host all all 127.0.0.1/32 trust\n")
    running.succeed("up")
    assert {name for name, pid in running.pids().items() if pid != pids[name]} == {"postgres"}
    with psycopg.connect(running.addresses()["PIN_POSTGRES_URL"]) as connection:
        connection.execute("SELECT FROM kept")
    with pytest.raises(psycopg.OperationalError, match="no password supplied"):
        psycopg.connect(make_conninfo(url, passfile="/nonexistent"))


def test_psql_finds_the_password_by_the_url(running: CommandLine) -> None:
    psql = [*postgres_programs.command("psql", running.home, os.geteuid()), "--no-psqlrc", "--no-password"]
    query = [*psql, running.addresses()["PIN_POSTGRES_URL"], "-Atc", "SELECT current_user, current_database()"]
    result = subprocess.run(query, capture_output=True, text=True, check=True)
    assert result.stdout == "pin|pinterest_streaming\n"


def test_concurrent_ups_start_each_server_once_and_down_stops_all(command_line: CommandLine) -> None:
    """One of the default ports is in use by another program."""
    command_line.variables.clear()
    assert command_line.run("status").returncode == 1
    with listening(DEFAULT_GATEWAY_PORT), command_line.start("up") as first, command_line.start("up") as second:
        outputs = first.communicate(), second.communicate()
    assert (first.returncode, second.returncode) == (0, 0), outputs
    for pid in command_line.pids().values():
        assert os.getpgid(pid) == pid
    assert port_of(command_line.addresses()["PIN_GATEWAY_URL"]) != DEFAULT_GATEWAY_PORT
    assert command_line.addresses()["PIN_GATEWAY_URL"] in command_line.succeed("env")
    assert command_line.succeed("down").split(None, 1)[0] == "stopped"
    assert all(ports.is_free(port_of(address)) for address in command_line.addresses().values())
    assert command_line.succeed("down") == "nothing was running\n"
    assert command_line.run("status").returncode == 1


@contextmanager
def listening(port: int) -> Iterator[None]:
    """Listen on a port during the block, unless another program does already."""
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        with suppress(OSError):
            listener.bind(("127.0.0.1", port))
            listener.listen()
        yield


def test_stored_data_survives_sigkill_of_every_server(running: CommandLine, local_environment: Settings) -> None:
    addresses = running.addresses()
    settings = local_environment.model_copy(
        update={
            "prefix": "pinterest",
            "bucket": "pin-pipeline",
            "kafka_bootstrap": addresses["PIN_KAFKA_BOOTSTRAP"],
            "s3_endpoint_url": addresses["PIN_S3_ENDPOINT_URL"],
        }
    )
    name = ObjectName("topics", "pinterest.pin", 0, 0)
    ObjectStore.of(settings).put_once(name, b"kept")
    produce(settings, "geo", [geo(1), geo(2)])
    for pid in running.pids().values():
        os.killpg(pid, signal.SIGKILL)
    assert running.run("status").returncode == 1
    running.succeed("up")
    assert running.addresses() == addresses
    assert ObjectStore.of(settings).read(name) == b"kept"
    [landed] = [topic for topic in running.read_json("land") if topic["topic"] == "pinterest.geo"]
    assert (landed["new_records"], landed["new_objects"]) == (2, 1)


def test_postgres_starts_although_its_lock_file_names_another_program(running: CommandLine) -> None:
    os.killpg(running.pids()["postgres"], signal.SIGKILL)
    lock = running.home / "postgres" / "postmaster.pid"
    lock.write_text("\n".join([str(os.getppid()), *lock.read_text().splitlines()[1:]]))
    running.succeed("up")
    assert running.run("status").returncode == 0


def test_up_refuses_a_requested_port_that_is_in_use_or_invalid(command_line: CommandLine, occupied_port: str) -> None:
    error = command_line.fail("up", PIN_S3_PORT=occupied_port)
    assert f"PIN_S3_PORT={occupied_port} is used by another program: set another port, or unset PIN_S3_PORT" in error
    assert "70000" in command_line.fail("up", PIN_S3_PORT="70000")
    assert command_line.pids() == {}


def test_free_port_returns_each_port_once() -> None:
    # The kernel draws from 28,000 ports: without the check, 2,000 draws would almost certainly repeat one.
    assigned = [ports.free_port() for _ in range(2_000)]
    assert len(set(assigned)) == len(assigned)


def test_servers_listen_on_the_loopback_interface_only(running: CommandLine) -> None:
    own_address = socket.gethostbyname(socket.gethostname())
    others = {own_address, *(f"127.0.0.{number}" for number in (2, 3))} - {"127.0.0.1"}
    for address in running.addresses().values():
        for host in others:
            with socket.socket() as client:
                assert client.connect_ex((host, port_of(address)))


def test_state_is_accessible_to_its_owner_only(running: CommandLine) -> None:
    entries = [running.home, *running.home.rglob("*")]
    assert len(entries) > 20
    assert [str(path) for path in entries if path.lstat().st_mode & 0o077 and not path.is_symlink()] == []


@needs_root
def test_other_users_cannot_read_the_state(running: CommandLine) -> None:
    path = next(path for path in running.home.iterdir() if path.is_file())
    as_other_user = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "cat", str(path)]
    result = subprocess.run(as_other_user, capture_output=True, text=True, check=False)
    assert "Permission denied" in result.stderr


def test_up_reports_the_output_of_a_server_that_fails_to_start(command_line: CommandLine) -> None:
    data = command_line.home / "kafka" / "data"
    data.mkdir(parents=True)
    (data / "meta.properties").write_text("cluster.id=another\nversion=1\nnode.id=9\n")
    error = command_line.fail("up")
    assert "kafka ended while it was starting" in error
    assert str(command_line.home / "logs" / "kafka.log") in error


def test_servers_need_no_credentials_and_write_none_to_disk(running: CommandLine) -> None:
    client = boto3.client(
        "s3",
        endpoint_url=running.addresses()["PIN_S3_ENDPOINT_URL"],
        aws_access_key_id="any",
        aws_secret_access_key="any",  # noqa: S106 - the local endpoint accepts any
    )
    assert [bucket["Name"] for bucket in client.list_buckets()["Buckets"]] == ["pin-pipeline"]
    contents = [path.read_bytes() for path in running.home.rglob("*") if path.is_file()]
    assert not any(SECRET.encode() in content for content in contents)
