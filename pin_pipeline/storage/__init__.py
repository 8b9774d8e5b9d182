"""Storage clients: S3 objects, Delta tables and Postgres, without Spark."""
