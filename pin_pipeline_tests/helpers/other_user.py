"""Functions run as another user of the machine, which only root can do."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any, TypeVar

import pytest

from pin_pipeline_tests.helpers.processes import PROCESSES

T = TypeVar("T")

NOBODY = 65534
needs_root = pytest.mark.skipif(
    sys.platform != "linux" or os.geteuid() != 0, reason="only root on Linux runs servers as another user"
)


def as_other_user(function: Callable[..., T], *arguments: object) -> T:
    """Call a function of a module in a process of the user `nobody`, and return its result.

    The function imports nothing: its user may not be allowed to read the modules.
    """
    receiver, sender = PROCESSES.Pipe(duplex=False)
    process = PROCESSES.Process(target=_call, args=(function, arguments, sender))
    process.start()
    sender.close()
    try:
        result: T = receiver.recv()
    finally:
        process.join()
    return result


def _call(function: Callable[..., Any], arguments: tuple[object, ...], sender: Connection) -> None:
    "localhost".encode("idna")  # loads the codec that sockets need
    os.setgroups([])
    os.setgid(NOBODY)
    os.setuid(NOBODY)
    sender.send(function(*arguments))
