"""Run of a job in this process: `python -m pin_pipeline.defs.run_job JOB FOLDER`.

`dagster job execute` does the same in 1.7 times the time, of which half a second is spent on its own modules, and 1.3 s
on searching the 700,000 objects of the modules for garbage, while they are imported and again at the end.
"""

import gc
import importlib
import json
import sys
from pathlib import Path

OBJECTS_BETWEEN_COLLECTIONS = 20_000
"""Python's default is 700, with which importing Dagster starts hundreds of collections."""


def run_job(name: str, folder: Path) -> bool:
    """Run a job to its end, and write the seconds of each step that succeeded, in the order in which they ran.

    Args:
        name: name of the job.
        folder: has the run config, `CONFIG_FILE`; receives `TIMINGS_FILE`, a JSON object.

    Returns:
        Whether the run succeeded.
    """
    # Imported here, because the collector must be configured before.
    import dagster as dg  # noqa: PLC0415
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
    gc.set_threshold(OBJECTS_BETWEEN_COLLECTIONS)
    succeeded = run_job(sys.argv[1], Path(sys.argv[2]))
    gc.freeze()  # exclude all objects from the collections with which Python ends
    sys.exit(not succeeded)
