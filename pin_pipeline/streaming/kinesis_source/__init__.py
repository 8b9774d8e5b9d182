"""Spark data source `kinesis` for Spark versions that have none."""
