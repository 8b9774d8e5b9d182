"""The pipeline on Databricks: what is sent there, what runs there, and the Jobs API in between."""
