"""The HTTP front door: posts come in as the Kafka REST Proxy takes them, and go on to Kafka byte for byte."""
