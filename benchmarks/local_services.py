"""Local servers for one benchmark, isolated from the developer's own servers, settings and data."""

from __future__ import annotations

import os
import shutil
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from tempfile import mkdtemp
from unittest.mock import patch

from pin_pipeline.local import ports, servers
from pin_pipeline.settings import Settings

CLEARED_PREFIXES = ("PIN_", "AWS_", "DAGSTER_")
"""Prefixes of the variables that a benchmark does not inherit."""
INHERITED = "PIN_JARS"
"""Location of the jar cache, which is inherited nevertheless: the jars need not be downloaded again."""


@contextmanager
def local_services() -> Iterator[Settings]:
    """Run all local servers on free ports, with a temporary home.

    The home is removed at the end. After an error it is kept, because it contains the logs.
    """
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))  # stops the servers, too
    inherited = {
        name: value for name, value in os.environ.items() if name == INHERITED or not name.startswith(CLEARED_PREFIXES)
    }
    chosen = {f"PIN_{server.upper()}_PORT": str(ports.free_port()) for server in servers.ADDRESSES}
    home = mkdtemp(prefix="pin-pipeline-")
    with patch.dict(os.environ, inherited | chosen | {"PIN_HOME": home}, clear=True):
        try:
            yield servers.up()
        finally:
            servers.down()
    shutil.rmtree(home)


def isolated(settings: Settings, name: str) -> Settings:
    """Return settings with separate topics, streams and bucket on the same servers, and create these."""
    separate = settings.model_copy(update={"prefix": name, "bucket": name})
    servers.prepare(separate)
    return separate
