"""The `kinesis` source for Spark."""
