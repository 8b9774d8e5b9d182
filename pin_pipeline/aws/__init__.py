"""What is asked of AWS itself: the cluster's brokers, the connector, secrets. Clients are made late, by boto3."""
