"""HTTP gateway: Kafka REST v2, Kinesis and plain record routes in front of Kafka and Kinesis."""
