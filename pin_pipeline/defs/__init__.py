"""Dagster definitions: assets, checks, resources, jobs, schedules and sensors. The only package that imports Dagster."""
