"""Schedules."""

import dagster as dg

from pin_pipeline.defs.jobs import daily_batch

daily_batch_schedule = dg.ScheduleDefinition(
    name="daily_batch_at_midnight",
    job=daily_batch,
    cron_schedule="0 0 * * *",
    execution_timezone="UTC",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Runs the daily batch at midnight UTC.",
)
