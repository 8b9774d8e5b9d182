"""Kafka: how it is reached, by every client in the same way, and which topics there are."""
