"""Pinterest's data system as a Dagster project: batch and streaming pipelines from HTTP gateway to Delta tables."""
