"""Spark data source `kinesis`, for Spark without the source of Databricks."""
