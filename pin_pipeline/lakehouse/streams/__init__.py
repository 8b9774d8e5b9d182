"""Streams as Spark reads and cleans them, micro-batch by micro-batch."""
