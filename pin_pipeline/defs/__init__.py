"""Dagster definitions: assets, checks, resources, jobs, schedules and sensors. No other package imports Dagster."""
