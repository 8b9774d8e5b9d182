"""The local Postgres server: durability after SIGKILL, shutdown, and initialization."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from pin_pipeline.local import ports, postgres
from pin_pipeline.local.errors import LocalError
from pin_pipeline.local.server import ServerProcess, ServerSpec
from pin_pipeline_tests.helpers.waiting import wait_until


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ServerSpec]:
    """Start a server, and stop it at the end."""
    server = postgres.server(tmp_path, ports.free_port())
    process = process_of(tmp_path)
    process.start(server)
    try:
        process.wait_until_ready(server)
        yield server
    finally:
        process.stop()


def process_of(home: Path) -> ServerProcess:
    return ServerProcess(home, "postgres", postgres.STOP_SIGNAL)


def test_postgres_keeps_committed_rows_after_sigkill(server: ServerSpec, tmp_path: Path) -> None:
    with psycopg.connect(server.address) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 1 AS one")
    os.killpg(process_of(tmp_path).pid, signal.SIGKILL)
    wait_until(lambda: not process_of(tmp_path).is_alive())
    process_of(tmp_path).start(server)
    process_of(tmp_path).wait_until_ready(server)
    with psycopg.connect(server.address) as connection:
        assert connection.execute("SELECT one FROM kept").fetchone() == (1,)


def test_postgres_shuts_down_cleanly_while_a_client_is_connected(server: ServerSpec, tmp_path: Path) -> None:
    with psycopg.connect(server.address):
        assert process_of(tmp_path).stop()
    restarted = postgres.server(tmp_path, ports.free_port())
    process_of(tmp_path).start(restarted)
    process_of(tmp_path).wait_until_ready(restarted)
    assert "not properly shut down" not in process_of(tmp_path).log.read_text()


def test_create_database_twice_creates_it_once(server: ServerSpec) -> None:
    url = psycopg.conninfo.make_conninfo(server.address, dbname="one database")
    postgres.create_database(url)
    postgres.create_database(url)
    with psycopg.connect(url) as connection:
        assert connection.info.dbname == "one database"


def test_failed_initialization_reports_the_reason_and_leaves_no_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LC_MESSAGES", "C")
    monkeypatch.setattr(postgres, "USER", "pg_reserved")
    with pytest.raises(LocalError, match=r"could not initialize its data folder .*postgres: .*pg_"):
        postgres.server(tmp_path, ports.free_port())
    assert list(tmp_path.iterdir()) == []
