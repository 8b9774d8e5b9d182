"""Locks between processes in Postgres."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest

from pin_pipeline.settings import Settings
from pin_pipeline.storage.postgres import Postgres, PostgresError
from pin_pipeline_tests.helpers.waiting import wait_until

HOLD = """
import sys
from pin_pipeline.storage.postgres import Postgres
with Postgres(sys.stdin.readline().strip()).lock(sys.argv[1]):
    print("locked", flush=True)
    sys.stdin.read()
"""
WAIT_SECONDS = 30


@pytest.fixture
def database(settings: Settings) -> Postgres:
    """The Postgres database of the local servers."""
    return Postgres(settings.postgres_url)


@contextmanager
def lock_of_other_process(database: Postgres, name: str) -> Iterator[subprocess.Popen[str]]:
    """Yield a process that holds the lock."""
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-c", HOLD, name], stdin=pipe, stdout=pipe, text=True) as process:
        assert process.stdin
        assert process.stdout
        process.stdin.write(f"{database.url}\n")
        process.stdin.flush()
        assert process.stdout.readline() == "locked\n"
        try:
            yield process
        finally:
            process.kill()


def sessions(database: Postgres, name: str, *, granted: bool) -> list[int]:
    """Return the process ids of the sessions that hold a lock, or wait for it."""
    query = (
        "select pid from pg_locks where locktype = 'advisory' and granted = %s "
        "and (classid::bigint << 32) | objid::bigint = hashtextextended(%s, 0)"
    )
    with psycopg.connect(database.url) as connection:
        return [pid for (pid,) in connection.execute(query, [granted, name]).fetchall()]


def test_lock_of_a_killed_process_is_released(settings: Settings, database: Postgres) -> None:
    entered = threading.Event()

    def enter() -> None:
        with database.lock(settings.bucket):
            entered.set()

    with lock_of_other_process(database, settings.bucket) as holder:
        waiter = threading.Thread(target=enter)
        waiter.start()
        wait_until(lambda: len(sessions(database, settings.bucket, granted=False)) == 1, WAIT_SECONDS)
        assert not entered.is_set()
        holder.kill()
        assert entered.wait(WAIT_SECONDS)
        waiter.join()


def test_locks_of_different_names_are_independent(settings: Settings, database: Postgres) -> None:
    with lock_of_other_process(database, settings.bucket), database.lock(f"{settings.bucket}-other"):
        pass


def test_lock_that_was_lost_is_an_error(settings: Settings, database: Postgres) -> None:
    def lose_lock() -> None:
        with database.lock(settings.bucket):
            [holder] = sessions(database, settings.bucket, granted=True)
            with psycopg.connect(database.url) as other:
                other.execute("select pg_terminate_backend(%s)", [holder])

    with pytest.raises(PostgresError, match="does not respond"):
        lose_lock()
