"""Databricks clients: jobs, clusters, deployment and wheel entry points."""
