"""Retry policy of the assets and checks."""

import sys

import dagster as dg

INTERRUPTS = (dg.DagsterExecutionInterruptedError, KeyboardInterrupt)


class RetryUnlessInterrupted(dg.RetryPolicy):
    """Retry policy that does not apply to a step whose run a user terminates.

    Dagster starts a step again that was interrupted, as if it had failed, and then goes on with the run. While it
    handles the interrupt, it asks whether there is a policy by its truth value.
    """

    def __bool__(self) -> bool:
        """Return whether the policy applies to the exception that is being handled."""
        return not isinstance(sys.exception(), INTERRUPTS)
