"""Kafka side of the gateway: producer, partitioning and REST consumer instances."""
