"""Local Kinesis endpoint: the Kinesis API over one SQLite file."""
