"""A local environment for one benchmark: real servers, and nothing of the developer's own is seen or touched."""

from __future__ import annotations

import os
import shutil
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from tempfile import mkdtemp
from unittest.mock import patch

from pin_pipeline.local import ports, servers
from pin_pipeline.settings import Settings

OURS = ("PIN_", "AWS_", "DAGSTER_")
# Where the jars are cached, which benchmarks share with everything else.
SHARED = "PIN_JARS"


@contextmanager
def fresh() -> Iterator[Settings]:
    """Kafka, S3 and the gateway on free ports; their home is removed, but after an error stays for its logs."""
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))  # so that the servers are stopped then too
    kept = {name: value for name, value in os.environ.items() if name == SHARED or not name.startswith(OURS)}
    chosen = {f"PIN_{server.upper()}_PORT": str(ports.free()) for server in servers.ADDRESSES}
    home = mkdtemp(prefix="pin-pipeline-")
    with patch.dict(os.environ, kept | chosen | {"PIN_HOME": home}, clear=True):
        try:
            yield servers.up()
        finally:
            servers.down()
    shutil.rmtree(home)


def apart(settings: Settings, name: str) -> Settings:
    """Topics and a bucket of their own on the same servers."""
    mine = replace(settings, prefix=name, bucket=name)
    servers.prepare(mine)
    return mine
