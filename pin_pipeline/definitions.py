"""Entry point of Dagster: all definitions of `pin_pipeline.defs`.

Assets and checks are found by importing their packages. `load_from_defs_folder` is not used: it requires a `dg.toml`,
which a wheel does not have, and imports every module, including the Databricks SDK, which takes one second.
"""

import dagster as dg

from pin_pipeline.defs import checks, jobs, schedules, sensors
from pin_pipeline.defs.graph import load_assets
from pin_pipeline.defs.resources import create_resources
from pin_pipeline.settings import Settings

NO_OUTPUTS = dg.mem_io_manager.configured({}, config_schema={})
"""Nothing is passed from step to step. The default would write to any folder that run configuration names."""

defs = dg.Definitions(
    assets=load_assets(),
    asset_checks=dg.load_asset_checks_from_package_module(checks),
    jobs=[*jobs.ASSET_JOBS, *jobs.OP_JOBS],
    schedules=[schedules.daily_batch_schedule],
    sensors=[sensors.stream_supervisor],
    resources=create_resources(Settings.load()) | {"io_manager": NO_OUTPUTS},
    executor=dg.in_process_executor,  # the steps of a run share one Spark session
)
