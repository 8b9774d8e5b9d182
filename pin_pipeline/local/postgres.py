"""The Postgres server of the real-time tables."""

from __future__ import annotations

import signal
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote

import psycopg
from psycopg import sql
from psycopg.errors import DuplicateDatabase, UniqueViolation

from pin_pipeline.local import ports
from pin_pipeline.local.postgres_programs import SERVER_USER, command
from pin_pipeline.local.postgres_setup import USER, passfile
from pin_pipeline.local.server import ServerSpec

DATABASE = "pinterest_streaming"
STOP_SIGNAL = signal.SIGINT
"""Fast shutdown: on SIGTERM Postgres waits until its clients have disconnected."""
PROBE_TIMEOUT_SECONDS = 2
SERVER_OPTIONS = {
    "listen_addresses": ports.HOST,
    "unix_socket_directories": "",
    "max_connections": "50",
    "shared_buffers": "32MB",
    "log_min_messages": "warning",
}


def server(home: Path, port: int) -> ServerSpec:
    """Define the server, whose data folder `postgres_setup.set_up` has prepared. It listens on the loopback interface.

    Raises:
        LocalError: a prerequisite is missing.
    """
    options = {"port": str(port)} | SERVER_OPTIONS
    arguments = [f"--{name}={value}" for name, value in options.items()]
    address = url(home, port, "postgres")
    return ServerSpec(
        "postgres",
        address,
        port,
        [*command("postgres", home / "postgres", SERVER_USER), *arguments],
        {},
        lambda: _is_ready(address),
    )


def url(home: Path, port: int, database: str = DATABASE) -> str:
    """Return the URL for clients. It contains no password, but the name of the file that does.

    The empty password keeps clients from using PGPASSWORD instead. They log in by SCRAM only: another program that
    listens on the port while the server is down cannot make them send the password.
    """
    options = f"password=&passfile={quote(str(passfile(home)))}&require_auth=scram-sha-256"
    return f"postgresql://{USER}@{ports.HOST}:{port}/{database}?{options}"


def create_database(url: str) -> None:
    """Create the database that the URL names, if missing."""
    name = str(psycopg.conninfo.conninfo_to_dict(url)["dbname"])
    with psycopg.connect(psycopg.conninfo.make_conninfo(url, dbname="postgres"), autocommit=True) as connection:
        if connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone() is None:
            with suppress(DuplicateDatabase, UniqueViolation):  # another process has just created it
                connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))


def _is_ready(address: str) -> bool:
    try:
        psycopg.connect(address, connect_timeout=PROBE_TIMEOUT_SECONDS).close()
    except psycopg.OperationalError:
        return False
    return True
