"""Kafka side of the gateway: producer, partitioner, topic metadata and consumer instances."""
