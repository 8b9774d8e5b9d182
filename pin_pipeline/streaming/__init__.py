"""Streaming jobs: Kinesis to Delta and Kafka to Postgres, with Spark Structured Streaming."""
