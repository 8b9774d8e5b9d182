"""Protocol of the Delta tables that the embedded engine reads and writes."""

from __future__ import annotations

from pin_pipeline.errors import PipelineError
from pin_pipeline.storage.delta_snapshot import Snapshot

VERSIONS = (1, 2)
"""Versions for readers and writers in `lake.PROPERTIES`. Higher ones allow deletion vectors and column mapping."""


class UnsupportedProtocolError(PipelineError):
    """Raised when the protocol of a table was upgraded to features that the embedded engine does not support."""


def check_protocol(table: Snapshot) -> None:
    """Check that a table has the protocol of the tables that the pipeline creates.

    Raises:
        UnsupportedProtocolError: the protocol was upgraded.
    """
    protocol = table.delta.protocol()
    versions = (protocol.min_reader_version, protocol.min_writer_version)
    if versions != VERSIONS:
        raise UnsupportedProtocolError(
            f"the embedded engine cannot use {table.delta.table_uri}: expected Delta protocol versions {VERSIONS}, "
            f"found {versions}: set PIN_BATCH_ENGINE=spark"
        )
