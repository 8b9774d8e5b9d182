"""Setup of the data folder of Postgres: kills at any step, and the upgrade of a home that required no password."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Callable, Sequence
from functools import partial
from itertools import count
from multiprocessing import get_context
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from pin_pipeline.local import ports, postgres, postgres_programs, postgres_setup
from pin_pipeline_tests.helpers.waiting import wait_until
from pin_pipeline_tests.local.postgres_homes import SET_UP, new_home, password_of, process_of, start

OLD_AUTHENTICATION = "host all all 127.0.0.1/32 trust\n"
OLD_STATEMENTS = (
    "CREATE TABLE posts (id serial PRIMARY KEY, category text)",
    "INSERT INTO posts (category) VALUES ('art'), ('food')",
    "CREATE SCHEMA more",
    "CREATE VIEW more.categories AS SELECT category FROM posts",
    "CREATE FUNCTION files() RETURNS SETOF text LANGUAGE sql SECURITY DEFINER AS 'SELECT pg_ls_dir(''.'')'",
)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Create a home whose name has characters that a URL escapes."""
    return new_home(tmp_path)


@pytest.fixture
def old_home(home: Path) -> Path:
    """Create the home of an earlier release with rows: no password, and the role `pin` is the superuser."""
    data = home / "postgres"
    data.mkdir(mode=0o700)
    postgres_programs.give(data, postgres_programs.SETUP_USER)
    with (home / "postgres.lock").open("w") as lock:
        initdb = postgres_programs.command("initdb", data, postgres_programs.SETUP_USER)
        options = ["--username", "pin", "--auth", "trust", "--encoding", "UTF8", "--locale", "C", "--no-sync"]
        postgres_programs.run([*initdb, *options], "initialize", lock.fileno())
    port = ports.free_port()
    process = process_of(home)
    arguments = [f"--port={port}", "--listen_addresses=127.0.0.1", "--unix_socket_directories="]
    process.launch([*postgres_programs.command("postgres", data, postgres_programs.SETUP_USER), *arguments], {})
    for database in ("pinterest_streaming", 'with "quotes", spaces and é'):
        url = f"postgresql://pin@{ports.HOST}:{port}/postgres"
        wait_until(partial(is_up, url))
        postgres.create_database(make_conninfo(url, dbname=database))
        with psycopg.connect(make_conninfo(url, dbname=database)) as connection:
            for statement in OLD_STATEMENTS:
                connection.execute(statement)
    os.killpg(process.pid, signal.SIGKILL)
    wait_until(lambda: not process.is_alive())
    return home


def is_up(url: str) -> bool:
    try:
        psycopg.connect(url).close()
    except psycopg.OperationalError:
        return False
    return True


def assert_upgraded(home: Path) -> None:
    """Start the server of an upgraded home, and assert that rows and rights are there."""
    assert postgres_setup.is_set_up(home)
    server = start(home)
    try:
        for database in ("pinterest_streaming", 'with "quotes", spaces and é'):
            with psycopg.connect(make_conninfo(server.address, dbname=database)) as connection:
                rows = connection.execute("SELECT * FROM posts ORDER BY id").fetchall()
                assert rows == [(1, "art"), (2, "food")]
                connection.execute("INSERT INTO posts (category) VALUES ('new')")
                connection.execute("CREATE OR REPLACE VIEW more.categories AS SELECT category FROM posts LIMIT 1")
                connection.execute("ALTER TABLE posts ADD COLUMN more text")
                connection.execute("CREATE TABLE more.tables ()")
                connection.rollback()
                with pytest.raises(psycopg.errors.InsufficientPrivilege):
                    connection.execute("SELECT files()")
        with pytest.raises(psycopg.OperationalError):
            psycopg.connect(make_conninfo(server.address, passfile="/nonexistent"))
        with psycopg.connect(server.address) as connection:
            superusers = connection.execute("SELECT rolname FROM pg_roles WHERE rolsuper").fetchall()
            assert superusers == [(postgres_setup.SUPERUSER,)]
    finally:
        process_of(home).stop()


def test_setup_of_an_old_home_keeps_its_rows_and_requires_the_password(old_home: Path) -> None:
    assert not postgres_setup.is_set_up(old_home)
    postgres_setup.set_up(old_home)
    password = password_of(old_home)
    assert_upgraded(old_home)
    postgres_setup.set_up(old_home)
    assert password_of(old_home) == password
    assert_upgraded(old_home)


def killed_at(step: int, home: Path) -> bool:
    """Set a home up in a process that is killed at one of its steps; return whether there is such a step.

    A program that runs at that moment goes on without the process that started it.
    """
    process = get_context("fork").Process(target=set_up_until, args=(step, home))
    process.start()
    process.join()
    assert process.exitcode in (0, -signal.SIGKILL)
    return process.exitcode != 0


def set_up_until(step: int, home: Path) -> None:
    """Set a home up, and kill this process before or, if a program is running, during the given step."""
    steps = iter(range(step + 1))

    def counted(function: Callable[..., object], *arguments: object) -> object:
        if next(steps) == step:
            os.kill(os.getpid(), signal.SIGKILL)
        return function(*arguments)

    def run(command: Sequence[str], purpose: str, lock: int, statements: str = "") -> str:
        if next(steps) == step:
            program = subprocess.Popen(command, stdin=subprocess.PIPE, pass_fds=[lock], text=True)
            assert program.stdin
            program.stdin.write(statements)
            program.stdin.flush()
            os.kill(os.getpid(), signal.SIGKILL)
        return run_to_the_end(command, purpose, lock, statements)

    run_to_the_end = postgres_programs.run
    setattr(postgres_setup, "run", partial(counted, run))  # noqa: B010 - mypy knows it as a function of another module
    for name in ("_write", "give"):
        setattr(postgres_setup, name, partial(counted, getattr(postgres_setup, name)))
    postgres_setup.set_up(home)


@pytest.mark.parametrize("release", ["this", "an earlier one"])
def test_setup_that_was_killed_at_any_step_is_completed_by_the_next(
    release: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    if release == "this":
        template = tmp_path / "empty"
        template.mkdir()
    else:
        template = request.getfixturevalue("old_home")
    for step in count():
        home = tmp_path / f"killed at {step}"
        subprocess.run(["/bin/cp", "-a", template, home], check=True)
        if not killed_at(step, home):
            break
        postgres_setup.set_up(home)
        assert {path.name for path in home.iterdir()} == {path.name for path in template.iterdir()} | SET_UP
        if release != "this":
            assert_upgraded(home)
        shutil.rmtree(home)
    assert step > 5
