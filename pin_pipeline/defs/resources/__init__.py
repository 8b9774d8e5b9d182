"""Dagster resources: interfaces and their local, AWS and Databricks backends."""
