"""Kafka: connection settings rendered for each client library, and topic administration."""
