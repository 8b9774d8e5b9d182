"""Entry point of `pin-pipeline`: signals, logging and exit codes.

Exit codes: 0 when the command succeeded, 1 when it failed or found something wrong, 2 when it was used incorrectly.
Nothing is imported before the handlers are in place, so that Ctrl-C is handled while modules load.
"""

from __future__ import annotations

import os
import signal
import sys
from types import FrameType

INTERRUPTED = 128 + signal.SIGINT
OWNER_ONLY_UMASK = 0o077
"""Mode mask of everything that a command and the servers it starts create: only the owner has access."""


def main() -> None:
    """Run the command line, and report every expected error in one sentence on standard error."""
    # A shell that starts the program in the background makes it, and what it starts, ignore Ctrl-C.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _exit)
    os.umask(OWNER_ONLY_UMASK)
    try:
        from pin_pipeline.local.garbage import rare_collections  # noqa: PLC0415 - see the module docstring

        with rare_collections():
            sys.exit(_run())
    except KeyboardInterrupt:
        print("pin-pipeline: interrupted", file=sys.stderr)
        sys.exit(INTERRUPTED)


def _run() -> int:
    import io  # noqa: PLC0415 - see the module docstring
    import logging  # noqa: PLC0415

    if isinstance(sys.stdout, io.TextIOWrapper) and sys.stdout.encoding.lower() != "utf-8":
        sys.stdout.reconfigure(errors="backslashreplace")  # posts contain characters that other encodings lack

    from pin_pipeline.cli.app import app  # noqa: PLC0415
    from pin_pipeline.errors import PipelineError  # noqa: PLC0415

    logger = logging.getLogger("pin_pipeline")
    logger.setLevel(logging.INFO)
    logger.addHandler(logging.StreamHandler())
    try:
        app()
    except (PipelineError, OSError) as error:
        print(f"pin-pipeline: {error}", file=sys.stderr)
        return 1
    return 0


def _exit(signal_number: int, _: FrameType | None) -> None:
    sys.exit(128 + signal_number)
