"""Runs whose processes were killed: `python -m pin_pipeline.defs.interrupted_runs`.

Dagster's default launcher runs a job in a child process of the code server, and cannot tell whether it is still alive.
When all processes of Dagster have ended, as after a power failure, no such run can be in progress.
"""

from pathlib import Path

import dagster as dg

from pin_pipeline.local.dagster_ui import COMMAND_TAG, job_log
from pin_pipeline.local.garbage import rare_collections
from pin_pipeline.local.process import is_locked

IN_PROGRESS = (dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.CANCELING)


def end_interrupted_runs(instance: dg.DagsterInstance) -> list[str]:
    """Mark the interrupted runs of an instance as failed or canceled, and return their ids.

    No code server of the instance may be running.
    """
    interrupted = [
        run for run in instance.get_runs(dg.RunsFilter(statuses=list(IN_PROGRESS))) if not _is_alive(instance, run)
    ]
    for run in interrupted:
        if run.status is dg.DagsterRunStatus.CANCELING:
            instance.report_run_canceled(run, message="The process of the run ended while the run was being canceled.")
        else:
            instance.report_run_failed(run, message="The process of the run was killed, or the machine was.")
    return [run.run_id for run in interrupted]


def _is_alive(instance: dg.DagsterInstance, run: dg.DagsterRun) -> bool:
    """Return whether a command, rather than the code server, runs the job."""
    return COMMAND_TAG in run.tags and is_locked(job_log(Path(instance.root_directory).parent, run.job_name))


if __name__ == "__main__":
    with rare_collections(), dg.DagsterInstance.get() as current:
        for run_id in end_interrupted_runs(current):
            print(f"run {run_id} was interrupted: marked as ended")
