"""Batch engines: embedded, for work that fits one machine, and Spark, for work that does not."""
