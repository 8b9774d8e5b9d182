"""The real-time half: streams as Spark reads and cleans them, micro-batch by micro-batch."""
