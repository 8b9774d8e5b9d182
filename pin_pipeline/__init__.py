"""Pinterest's data system: posts on Kafka, objects on S3, Delta tables by Spark, orchestrated by Dagster."""
