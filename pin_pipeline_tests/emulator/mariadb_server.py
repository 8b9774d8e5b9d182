"""A private MariaDB server, of the Debian package."""

from __future__ import annotations

import getpass
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from secrets import token_urlsafe
from urllib.parse import quote_plus

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import OperationalError

from pin_pipeline.local import ports

INSTALL, SERVER = (
    shutil.which("mariadb-install-db"),
    shutil.which("mariadbd", path="/usr/sbin:/usr/local/sbin:/usr/bin"),
)
USER, PASSWORD = "poster", token_urlsafe() + ":/@"
START_SECONDS = 60
needs_mariadb = pytest.mark.skipif(
    not (INSTALL and SERVER), reason="MariaDB is not installed: `apt install mariadb-server`"
)


@dataclass(frozen=True)
class MariaDbServer:
    """A running server with the database `pinterest_data`.

    Attributes:
        folder: files of the server, to which it can export.
        root: engine of the superuser, in `pinterest_data`.
    """

    folder: Path
    port: int
    root: sa.Engine

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def url(self, password: str = PASSWORD) -> str:
        """Return the URL of the database for the user who has all rights on it."""
        return f"mysql+pymysql://{USER}:{quote_plus(password)}@{self.address}/pinterest_data"

    def execute(self, *statements: str) -> None:
        """Execute statements as the superuser."""
        with self.root.begin() as connection:
            for statement in statements:
                connection.exec_driver_sql(statement.replace("%", "%%"))


@contextmanager
def running_mariadb() -> Iterator[MariaDbServer]:
    # Not in the folder of pytest: its path is longer than the limit for sockets.
    with tempfile.TemporaryDirectory(prefix="pin-mariadb-") as home:
        folder, port = Path(home), ports.free_port()
        (folder / "tmp").mkdir()
        common = ["--no-defaults", f"--datadir={folder / 'data'}", f"--user={getpass.getuser()}"]
        # A server that starts deletes the temporary tables of another one in the same folder.
        common += [f"--tmpdir={folder / 'tmp'}"]
        subprocess.run(
            [INSTALL or "", *common, "--auth-root-authentication-method=normal"], check=True, capture_output=True
        )
        # The data need not survive a crash.
        common += ["--sync-frm=0", "--innodb-flush-log-at-trx-commit=0", "--skip-innodb-doublewrite"]
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(
                [SERVER or "", *common, f"--port={port}", "--bind-address=127.0.0.1", f"--socket={folder / 'socket'}"],
                stdout=log,
                stderr=log,
            )
        try:
            with _connect_as_root(port, process, folder / "log") as connection:
                connection.exec_driver_sql("create database pinterest_data")
                connection.exec_driver_sql(f"create user {USER}@localhost identified by '{PASSWORD}'")
                connection.exec_driver_sql(f"grant all on pinterest_data.* to {USER}@localhost")
            root = sa.create_engine(f"mysql+pymysql://root@127.0.0.1:{port}/pinterest_data")
            yield MariaDbServer(folder, port, root)
            root.dispose()
        finally:
            process.terminate()
            process.wait()


def _connect_as_root(port: int, process: subprocess.Popen[bytes], log: Path) -> sa.Connection:
    deadline = time.monotonic() + START_SECONDS
    engine = sa.create_engine(f"mysql+pymysql://root@127.0.0.1:{port}", poolclass=sa.NullPool)
    while True:
        try:
            return engine.connect()
        except OperationalError:
            if process.poll() is not None or time.monotonic() > deadline:
                pytest.fail(f"MariaDB did not start: {log.read_text(errors='replace')[-2000:]}")
            time.sleep(0.1)
