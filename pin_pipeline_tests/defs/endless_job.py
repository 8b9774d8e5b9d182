"""Job that runs until it is killed: `python -m pin_pipeline_tests.defs.endless_job`, with DAGSTER_HOME set."""

from __future__ import annotations

import signal
import sys

import dagster as dg

from pin_pipeline.defs.retries import RetryUnlessInterrupted


@dg.op(retry_policy=RetryUnlessInterrupted(max_retries=2))
def wait() -> None:
    """Report that the run has started, and wait."""
    print("started", flush=True)
    signal.pause()


@dg.job
def endless() -> None:
    """Run the op."""
    wait()


if __name__ == "__main__":
    with dg.DagsterInstance.get() as instance:
        tags = dict(tag.split("=") for tag in sys.argv[1:])
        endless.execute_in_process(instance=instance, tags=tags, raise_on_error=False)
