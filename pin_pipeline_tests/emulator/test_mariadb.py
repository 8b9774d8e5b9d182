"""Source database on a real MariaDB, a private instance of the Debian package."""

from __future__ import annotations

import getpass
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from secrets import token_urlsafe
from urllib.parse import quote_plus

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import OperationalError

from pin_pipeline.emulator.emulator import SendCounts, emulate
from pin_pipeline.emulator.sampling import Draws
from pin_pipeline.emulator.sinks import FileSink
from pin_pipeline.emulator.source import SourceDatabase, SourceError
from pin_pipeline.local import ports
from pin_pipeline.records import RECORD_TYPES
from pin_pipeline_tests.helpers.rows import user

INSTALL, SERVER = (
    shutil.which("mariadb-install-db"),
    shutil.which("mariadbd", path="/usr/sbin:/usr/local/sbin:/usr/bin"),
)
USER, PASSWORD = "poster", token_urlsafe() + ":/@"
START_SECONDS = 60

pytestmark = pytest.mark.skipif(
    not (INSTALL and SERVER), reason="MariaDB is not installed: `apt install mariadb-server`"
)


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """Host and port of a server with an empty database, `pinterest_data`."""
    # Not in the folder of pytest: its path is longer than the limit for sockets.
    with tempfile.TemporaryDirectory(prefix="pin-mariadb-") as home:
        folder, port = Path(home), ports.free_port()
        common = ["--no-defaults", f"--datadir={folder / 'data'}", f"--user={getpass.getuser()}"]
        subprocess.run(
            [INSTALL or "", *common, "--auth-root-authentication-method=normal"], check=True, capture_output=True
        )
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(
                [SERVER or "", *common, f"--port={port}", "--bind-address=127.0.0.1", f"--socket={folder / 'socket'}"],
                stdout=log,
                stderr=log,
            )
        try:
            with connect_as_root(port, process, folder / "log") as connection:
                connection.exec_driver_sql("create database pinterest_data")
                connection.exec_driver_sql(f"create user {USER}@localhost identified by '{PASSWORD}'")
                connection.exec_driver_sql(f"grant all on pinterest_data.* to {USER}@localhost")
            yield f"127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait()


def connect_as_root(port: int, process: subprocess.Popen[bytes], log: Path) -> sa.Connection:
    deadline = time.monotonic() + START_SECONDS
    engine = sa.create_engine(f"mysql+pymysql://root@127.0.0.1:{port}", poolclass=sa.NullPool)
    while True:
        try:
            return engine.connect()
        except OperationalError:
            if process.poll() is not None or time.monotonic() > deadline:
                pytest.fail(f"MariaDB did not start: {log.read_text(errors='replace')[-2000:]}")
            time.sleep(0.1)


def url(server: str, password: str = PASSWORD) -> str:
    return f"mysql+pymysql://{USER}:{quote_plus(password)}@{server}/pinterest_data"


def test_mariadb_source_reads_same_rows_as_sqlite(server: str, filled_database: SourceDatabase, tmp_path: Path) -> None:
    database = SourceDatabase(url(server))
    for record_type in RECORD_TYPES:
        assert database.load(record_type, filled_database.rows(record_type, range(2_000))) == 2_000
        assert database.count(record_type) == 2_000
        positions = [0, 1_999, 7, 7, 1_000]
        assert list(database.rows(record_type, positions)) == list(filled_database.rows(record_type, positions))
    draws = Draws(150, last_row=1_999)
    for name, source in {"mariadb": database, "sqlite": filled_database}.items():
        counts = emulate(source, FileSink(tmp_path / name), draws, lambda _: None)
        assert counts == dict.fromkeys(RECORD_TYPES, SendCounts(150, 150, 0))
    for record_type in RECORD_TYPES:
        sent = [(tmp_path / name / f"{record_type}.jsonl").read_bytes() for name in ("mariadb", "sqlite")]
        assert sent[0] == sent[1]


def test_mariadb_source_preserves_unicode_and_fractional_seconds(server: str) -> None:
    database = SourceDatabase(url(server))
    texts = ["👩🏽‍🎨 ﷽", "'; drop table user_data; --", "a\0b", "", None, "é" * 5_000]
    joined = datetime.fromisoformat("2016-02-29 21:26:45.123456")
    rows = [user(ind, first_name=text, date_joined=joined) for ind, text in enumerate(texts, start=100_000)]
    database.load("user", rows)
    first = database.count("user") - len(rows)
    assert list(database.rows("user", range(first, first + len(rows)))) == rows


def test_mariadb_source_error_omits_wrong_password(server: str) -> None:
    with pytest.raises(SourceError, match=r"source database .* failed: .*Access denied") as error:
        SourceDatabase(url(server, "not-the-password"))
    assert "not-the-password" not in str(error.value)
