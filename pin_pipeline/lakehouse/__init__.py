"""All that runs inside Spark, in this process or on a cluster; knows nothing of who calls it."""
