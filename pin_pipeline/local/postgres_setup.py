"""Setup of the data folder of Postgres: a new one is initialized, and one of an earlier release gets a login.

Earlier releases required no password, and the pipeline's role was the superuser. Clients now log in as a role without
special rights, with a generated password. Nobody can log in as the superuser.
"""

from __future__ import annotations

import fcntl
import re
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path

from pin_pipeline.local import ports
from pin_pipeline.local.postgres_programs import SERVER_USER, SETUP_USER, command, give, run

USER, SUPERUSER = "pin", "pin_superuser"
"""Roles of the pipeline and of the setup; the SQL files name them too."""
SQL = files("pin_pipeline.local") / "sql"
AUTHENTICATION = f"host all {USER} {ports.HOST}/32 scram-sha-256\n"
"""Content of `pg_hba.conf`. It is written last, so that it also says that the setup is complete."""
SINGLE_USER = ("--single", "-j", "-c", "exit_on_error=on", "-c", "log_min_error_statement=panic")
"""Options that run the statements of standard input as the superuser, without a server; errors do not quote them."""


def passfile(home: Path) -> Path:
    """Return the file with the password, in the format that the clients of Postgres read."""
    return home / "postgres.pass"


def is_set_up(home: Path) -> bool:
    """Return whether the setup of a home is complete, so that its server requires the password."""
    authentication = _authentication(home)
    return passfile(home).exists() and authentication.exists() and authentication.read_text() == AUTHENTICATION


def set_up(home: Path) -> None:
    """Initialize the data folder if missing, and let clients log in with a new password only, if not done yet.

    The server may not be running. When this is interrupted at any point, the next call completes it.

    Raises:
        LocalError: a program of Postgres failed.
    """
    data = home / "postgres"
    with _exclusive(home) as lock:
        if not data.exists():
            _initialize(data, lock)
        # Postgres keeps the lock file of a server that was killed if a process with its id exists, even if that is
        # another program, or a zombie that PID 1 of a container has not reaped.
        (data / "postmaster.pid").unlink(missing_ok=True)
        if not is_set_up(home):
            _create_login(home, lock)
        give(data, SERVER_USER)


def _initialize(data: Path, lock: int) -> None:
    """Initialize a new data folder, completely or not at all."""
    new = data.with_name("postgres.new")
    if new.exists():  # an initialization has failed, or was killed
        shutil.rmtree(new)
    new.mkdir(mode=0o700)
    give(new, SETUP_USER)
    options = ["--username", SUPERUSER, "--auth", "reject", "--encoding", "UTF8", "--locale", "C", "--no-sync"]
    run([*command("initdb", new, SETUP_USER), *options], f"initialize its data folder {data}", lock)
    new.rename(data)


def _create_login(home: Path, lock: int) -> None:
    """Let clients log in with a new password, and make their role the owner of all databases and their contents."""
    data, authentication, password = home / "postgres", _authentication(home), secrets.token_urlsafe(32)
    authentication.unlink(missing_ok=True)  # the setup is not complete until it is written again
    _write(passfile(home), f"{ports.HOST}:*:*:{USER}:{password}\n")
    give(data, SETUP_USER)

    def execute(database: str, script: str) -> str:
        statements = SQL.joinpath(script).read_text().replace(":password", f"'{password}'")
        single_user = [*command("postgres", data, SETUP_USER), *SINGLE_USER, database]
        return run(single_user, f"create the login of {data}", lock, statements)

    for name in re.findall(r'name = "([0-9a-f]+)"', execute("template1", "login.sql")):
        execute(bytes.fromhex(name).decode(), "ownership.sql")
    _write(authentication, AUTHENTICATION)


def _authentication(home: Path) -> Path:
    return home / "postgres" / "pg_hba.conf"


def _write(path: Path, content: str) -> None:
    """Write a file that only its owner may read, completely or not at all."""
    new = path.with_name(f"{path.name}.new")
    new.unlink(missing_ok=True)
    new.touch(mode=0o600)
    new.write_text(content)
    new.replace(path)


@contextmanager
def _exclusive(home: Path) -> Iterator[int]:
    """Hold the lock of the setup, and wait for a program that has outlived the setup that started it."""
    with (home / "postgres.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield lock.fileno()
