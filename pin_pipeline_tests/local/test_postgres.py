"""The local Postgres server: durability, login and rights."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import threading
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import psutil
import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from pin_pipeline.local import ports, postgres, postgres_programs, postgres_setup
from pin_pipeline.local.errors import LocalError
from pin_pipeline.local.server import ServerSpec
from pin_pipeline_tests.helpers.other_user import needs_root
from pin_pipeline_tests.helpers.waiting import wait_until
from pin_pipeline_tests.local.postgres_homes import SET_UP, new_home, password_of, process_of, start

OTHER_USER = postgres_programs.SETUP_USER


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Create a home whose name has characters that a URL escapes."""
    return new_home(tmp_path)


@pytest.fixture
def server(home: Path) -> Iterator[ServerSpec]:
    """Start a server, and stop it at the end."""
    postgres_setup.set_up(home)
    yield start(home)
    process_of(home).stop()


@pytest.fixture(scope="module")
def running_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Start a server once, for tests that do not change it, and return its home."""
    home = new_home(tmp_path_factory.mktemp("running"))
    postgres_setup.set_up(home)
    start(home)
    yield home
    process_of(home).stop()


@pytest.fixture
def address(running_home: Path) -> str:
    """Return the URL of the server that the tests share."""
    [port] = re.findall(r"--port=(\d+)", " ".join(psutil.Process(process_of(running_home).pid).cmdline()))
    return postgres.url(running_home, int(port), "postgres")


def processes(home: Path) -> list[Path]:
    """Return the folders under /proc of the processes of the server."""
    server = psutil.Process(process_of(home).pid)
    children = server.children()
    assert children
    return [Path("/proc", str(process.pid)) for process in (server, *children)]


def test_postgres_keeps_committed_rows_after_sigkill(server: ServerSpec, home: Path) -> None:
    with psycopg.connect(server.address) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 1 AS one")
    os.killpg(process_of(home).pid, signal.SIGKILL)
    wait_until(lambda: not process_of(home).is_alive())
    postgres_setup.set_up(home)
    with psycopg.connect(start(home).address) as connection:
        assert connection.execute("SELECT one FROM kept").fetchone() == (1,)


def test_postgres_shuts_down_cleanly_while_a_client_is_connected(server: ServerSpec, home: Path) -> None:
    with psycopg.connect(server.address):
        assert process_of(home).stop()
    start(home)
    assert "not properly shut down" not in process_of(home).log.read_text()


def test_create_database_twice_creates_it_once(server: ServerSpec) -> None:
    url = make_conninfo(server.address, dbname="one database")
    postgres.create_database(url)
    postgres.create_database(url)
    with psycopg.connect(url) as connection:
        assert connection.info.dbname == "one database"


def test_failed_initialization_reports_the_reason_and_is_repeated(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LC_MESSAGES", "C")
    monkeypatch.setattr(postgres_setup, "SUPERUSER", "pg_reserved")
    with pytest.raises(LocalError, match=r"could not initialize its data folder .*postgres: .*pg_"):
        postgres_setup.set_up(home)
    assert not (home / "postgres").exists()
    monkeypatch.undo()
    postgres_setup.set_up(home)
    assert {path.name for path in home.iterdir()} == SET_UP


@pytest.mark.parametrize(
    ("user", "login"),
    [
        ("pin", {"passfile": "/nonexistent"}),
        ("pin", {"passfile": "/nonexistent", "password": "wrong"}),
        (postgres_setup.SUPERUSER, {}),
        (postgres_setup.SUPERUSER, {"password": "wrong"}),
        ("postgres", {}),
    ],
)
def test_login_without_the_password_of_the_role_is_refused(address: str, user: str, login: dict[str, str]) -> None:
    with pytest.raises(
        psycopg.OperationalError, match=r"no password supplied|password authentication failed|no pg_hba.conf entry"
    ):
        psycopg.connect(make_conninfo(address, user=user, **login))


def test_client_uses_the_password_of_the_home_whatever_the_environment_says(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGPASSWORD", "of another server")
    monkeypatch.setenv("PGPASSFILE", "/nonexistent")
    psycopg.connect(address).close()


def test_client_sends_no_password_to_a_program_that_took_the_port(home: Path) -> None:
    postgres_setup.set_up(home)
    received = bytearray()
    with socket.create_server((ports.HOST, 0)) as listener:

        def ask_for_the_password() -> None:
            connection, _ = listener.accept()
            with connection:
                while message := connection.recv(4096):
                    received.extend(message)
                    # Without encryption, and with the password as it is.
                    connection.sendall(b"N" if len(message) == 8 else b"R\0\0\0\x08\0\0\0\x03")

        program = threading.Thread(target=ask_for_the_password)
        program.start()
        with pytest.raises(psycopg.OperationalError, match="require"):
            psycopg.connect(postgres.url(home, listener.getsockname()[1]))
        program.join()
    assert b"pinterest_streaming" in received
    assert password_of(home).encode() not in received


@pytest.mark.parametrize(
    "statement",
    [
        "COPY (SELECT 1) TO PROGRAM 'true'",
        "COPY kept FROM PROGRAM 'echo 1'",
        "COPY kept FROM '/etc/passwd'",
        "COPY (SELECT 1) TO '/tmp/written'",
        "SELECT pg_read_file('PG_VERSION')",
        "SELECT pg_read_binary_file('/etc/passwd')",
        "SELECT pg_ls_dir('.')",
        "SELECT lo_import('/etc/passwd')",
        "SELECT lo_export(1, '/tmp/written')",
        "SELECT rolpassword FROM pg_authid",
        "CREATE FUNCTION f() RETURNS int LANGUAGE c AS '/lib/x86_64-linux-gnu/libc.so.6', 'getpid'",
        "CREATE ROLE other SUPERUSER",
        "ALTER ROLE pin SUPERUSER",
        "GRANT pg_execute_server_program TO pin",
        f"SET ROLE {postgres_setup.SUPERUSER}",
        f"SET SESSION AUTHORIZATION {postgres_setup.SUPERUSER}",
        "ALTER SYSTEM SET archive_command = 'true'",
        "SET session_preload_libraries = 'x'",
        "LOAD '/lib/x86_64-linux-gnu/libc.so.6'",
    ],
)
def test_role_of_the_pipeline_may_not_use_files_programs_and_other_roles(address: str, statement: str) -> None:
    with psycopg.connect(address, autocommit=True) as connection:
        connection.execute("CREATE TEMPORARY TABLE kept (one text)")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute(statement)


def test_role_of_the_pipeline_owns_its_databases_and_has_no_other_right(server: ServerSpec) -> None:
    postgres.create_database(make_conninfo(server.address, dbname="created"))
    with psycopg.connect(server.address) as connection:
        rights = "rolsuper, rolcreaterole, rolreplication, rolbypassrls, rolcreatedb FROM pg_roles"
        assert connection.execute(f"SELECT {rights} WHERE rolname = current_user").fetchall() == [
            (False, False, False, False, True)
        ]
        memberships = "SELECT count(*) FROM pg_auth_members WHERE member = current_user::regrole"
        assert connection.execute(memberships).fetchone() == (0,)
        owners = "SELECT datname, datdba::regrole::text FROM pg_database WHERE NOT datistemplate ORDER BY 1"
        assert connection.execute(owners).fetchall() == [("created", "pin"), ("postgres", "pin")]


def test_processes_of_the_server_hold_no_capability(address: str, running_home: Path) -> None:
    with psycopg.connect(address):
        for process in processes(running_home):
            status = dict(line.split(":\t") for line in (process / "status").read_text().splitlines() if ":\t" in line)
            assert {status[f"Cap{each}"].strip("0") for each in ("Inh", "Prm", "Eff", "Amb")} == {""}
            assert "0" not in status["Uid"].split()
            if os.geteuid() == 0:
                assert status["NoNewPrivs"] == "1"


@needs_root
@pytest.mark.parametrize(
    ("allowed", "command"),
    [
        (0, ["cat", "{home}/postgres.pass"]),
        (0, ["ls", "{home}/postgres"]),
        (0, ["cat", "{home}/postgres/pg_hba.conf"]),
        # The server was started in its data folder: these paths do not lead through the home.
        (postgres_programs.SERVER_USER, ["ls", "/proc/{pid}/cwd/"]),
        (postgres_programs.SERVER_USER, ["cat", "/proc/{pid}/cwd/pg_hba.conf"]),
        (postgres_programs.SERVER_USER, ["cat", "/proc/{pid}/environ"]),
        (postgres_programs.SERVER_USER, ["sh", "-c", "kill -0 {pid}"]),
    ],
)
def test_another_user_of_the_machine_reads_neither_password_nor_data(
    running_home: Path, allowed: int, command: list[str]
) -> None:
    pid = process_of(running_home).pid
    filled = [part.replace("{home}", str(running_home)).replace("{pid}", str(pid)) for part in command]

    def run_as(user: int) -> subprocess.CompletedProcess[str]:
        options: Any = {"user": user, "group": user, "extra_groups": []}
        return subprocess.run(filled, capture_output=True, text=True, check=False, **options)

    assert run_as(allowed).returncode == 0
    refused = run_as(OTHER_USER)
    assert refused.returncode != 0
    assert refused.stdout == ""
    assert "ermi" in refused.stderr  # permission denied, or not permitted


@needs_root
@pytest.mark.parametrize(("user", "error"), [(0, ""), (OTHER_USER, "no password supplied")])
def test_another_user_of_the_machine_cannot_connect(address: str, user: int, error: str) -> None:
    psql = [*postgres_programs.command("psql", Path("/"), user), "--no-psqlrc", "--no-password", "-Atc"]
    result = subprocess.run([*psql, "SELECT current_user", address], capture_output=True, text=True, check=False)
    assert result.stdout == ("" if error else "pin\n")
    assert error in result.stderr


def test_files_of_the_login_are_readable_by_their_owner_only(running_home: Path) -> None:
    data = running_home / "postgres"
    assert postgres_setup.passfile(running_home).stat().st_mode & 0o777 == 0o600
    assert data.stat().st_mode & 0o777 == 0o700
    assert (data / "pg_hba.conf").stat().st_mode & 0o777 == 0o600
    assert (data / "pg_hba.conf").read_text() == "host all pin 127.0.0.1/32 scram-sha-256\n"


def test_two_homes_have_different_passwords(tmp_path: Path) -> None:
    homes = [tmp_path / "one", tmp_path / "other"]
    for home in homes:
        home.mkdir()
        postgres_setup.set_up(home)
    assert password_of(homes[0]) != password_of(homes[1])


def test_setup_replaces_a_password_file_that_was_deleted(server: ServerSpec, home: Path) -> None:
    old = password_of(home)
    process_of(home).stop()
    postgres_setup.passfile(home).unlink()
    assert not postgres_setup.is_set_up(home)
    postgres_setup.set_up(home)
    assert password_of(home) != old
    psycopg.connect(start(home).address).close()
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(server.address)


@needs_root
def test_server_runs_from_a_package_that_only_root_may_read(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package, cache = tmp_path / "site-packages" / postgres_programs.PACKAGE, Path(mkdtemp(dir="/var/tmp"))
    installed = find_spec(postgres_programs.PACKAGE)
    assert installed
    assert installed.origin
    for folder in (package, package.with_suffix(".libs")):
        shutil.copytree(Path(installed.origin).parent.with_name(folder.name), folder)
    package.parent.chmod(0o700)
    monkeypatch.syspath_prepend(str(package.parent))
    monkeypatch.setattr(postgres_programs, "SYSTEM_CACHE", cache)
    try:
        postgres_setup.set_up(home)
        with psycopg.connect(start(home).address) as connection:
            connection.execute("CREATE TABLE kept AS SELECT now() AT TIME ZONE 'Europe/Berlin' AS at")
        assert psutil.Process(process_of(home).pid).exe().startswith(str(cache))
        assert {path.stat().st_uid for path in cache.rglob("*")} == {0}
        assert not [path for path in cache.rglob("*") if path.stat().st_mode & 0o022]
    finally:
        process_of(home).stop()
        shutil.rmtree(cache)
