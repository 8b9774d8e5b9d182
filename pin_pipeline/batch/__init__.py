"""Daily batch: cleans landed objects into Delta tables and runs the queries."""
