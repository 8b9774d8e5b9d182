"""Homes of the tests of Postgres, and the processes of their servers."""

from __future__ import annotations

from pathlib import Path

from pin_pipeline.local import ports, postgres, postgres_setup
from pin_pipeline.local.server import ServerProcess, ServerSpec

SET_UP = {"postgres", "postgres.pass", "postgres.lock"}
"""Contents of a home after the setup."""


def new_home(folder: Path) -> Path:
    home = folder / "a home & 100%41?#"
    home.mkdir(mode=0o700)
    return home


def start(home: Path) -> ServerSpec:
    server = postgres.server(home, ports.free_port())
    process_of(home).start(server)
    process_of(home).wait_until_ready(server)
    return server


def process_of(home: Path) -> ServerProcess:
    return ServerProcess(home, "postgres", postgres.STOP_SIGNAL)


def password_of(home: Path) -> str:
    return postgres_setup.passfile(home).read_text().strip().rpartition(":")[2]
