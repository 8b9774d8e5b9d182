"""Run of a job in this process: `python -m pin_pipeline.defs.run_job JOB FOLDER`.

`dagster job execute` does the same in 1.5 times the time.
"""

import importlib
import json
import sys
from pathlib import Path

from pin_pipeline.local.garbage import rare_collections


def run_job(name: str, folder: Path) -> bool:
    """Run a job to its end, and write the seconds of each step that succeeded, in the order in which they ran.

    Args:
        name: name of the job.
        folder: has the run config, `CONFIG_FILE`; receives `TIMINGS_FILE`, a JSON object.

    Returns:
        Whether the run succeeded.
    """
    import dagster as dg  # noqa: PLC0415 - with rare collections
    from dagster._utils.interrupts import capture_interrupts  # noqa: PLC0415

    from pin_pipeline.local.dagster_services import DEFINITIONS  # noqa: PLC0415
    from pin_pipeline.local.dagster_ui import COMMAND_TAG, CONFIG_FILE, TIMINGS_FILE  # noqa: PLC0415

    definitions: dg.Definitions = importlib.import_module(DEFINITIONS).defs
    config = json.loads((folder / CONFIG_FILE).read_text())
    with capture_interrupts(), dg.DagsterInstance.get() as instance:
        result = definitions.resolve_job_def(name).execute_in_process(
            run_config=config, instance=instance, tags={COMMAND_TAG: "true"}, raise_on_error=False
        )
    seconds = {
        str(event.step_key): event.step_success_data.duration_ms / 1000
        for event in result.all_events
        if event.is_step_success
    }
    (folder / TIMINGS_FILE).write_text(json.dumps(seconds))
    return result.success


if __name__ == "__main__":
    with rare_collections():
        sys.exit(not run_job(sys.argv[1], Path(sys.argv[2])))
