"""What the tables say of the data: read from their Delta files and logs, without Spark."""
