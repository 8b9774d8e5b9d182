"""Landing: copies Kafka topics to S3 as write-once objects."""
