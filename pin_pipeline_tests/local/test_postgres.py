"""The local Postgres: kept over kill -9, stopped with clients connected, never half made."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from pin_pipeline.local import ports, postgres
from pin_pipeline.local.errors import LocalError
from pin_pipeline.local.server import Server, ServerProcess


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """A server of the test's own, running."""
    server = postgres.server(tmp_path, ports.free())
    process = process_of(tmp_path)
    process.start(server)
    try:
        process.wait_until_ready(server)
        yield server
    finally:
        process.stop()


def process_of(home: Path) -> ServerProcess:
    return ServerProcess(home, "postgres", postgres.STOP_SIGNAL)


def test_what_was_committed_is_there_after_kill_9(server: Server, tmp_path: Path) -> None:
    with psycopg.connect(server.address) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 1 AS one")
    os.killpg(process_of(tmp_path).pid, signal.SIGKILL)
    while process_of(tmp_path).alive():
        pass
    process_of(tmp_path).start(server)
    process_of(tmp_path).wait_until_ready(server)
    with psycopg.connect(server.address) as connection:
        assert connection.execute("SELECT one FROM kept").fetchone() == (1,)


def test_it_stops_in_order_while_a_client_is_connected(server: Server, tmp_path: Path) -> None:
    with psycopg.connect(server.address):
        assert process_of(tmp_path).stop()
    again = postgres.server(tmp_path, ports.free())
    process_of(tmp_path).start(again)
    process_of(tmp_path).wait_until_ready(again)
    assert "not properly shut down" not in process_of(tmp_path).log.read_text()


def test_a_database_is_created_once(server: Server) -> None:
    url = psycopg.conninfo.make_conninfo(server.address, dbname="one database")
    postgres.create_database(url)
    postgres.create_database(url)
    with psycopg.connect(url) as connection:
        assert connection.info.dbname == "one database"


def test_a_folder_that_cannot_be_made_says_why_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LC_MESSAGES", "C")
    monkeypatch.setattr(postgres, "USER", "pg_reserved")
    with pytest.raises(LocalError, match=r"could not make its folder .*postgres: .*pg_"):
        postgres.server(tmp_path, ports.free())
    assert list(tmp_path.iterdir()) == []
