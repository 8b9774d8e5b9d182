"""From Kafka to S3: what stands on a topic becomes write-once objects in the S3 sink connector's layout."""
