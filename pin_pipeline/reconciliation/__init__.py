"""Reconciliation: verifies that every landed record is published, superseded or quarantined, once and unmodified.

It shares with the code it verifies only the definitions of the record types and the rejection reasons (`records`, not
the code that validates records), the digest of the validation rules (`records.rules_version`), the settings, the Kafka
connection settings, the AWS clients, and the handles that open Delta tables (`storage.lake`). It reads topics with
another Kafka client than landing, parses S3 keys and objects by its own code, reads tables without Spark, and derives
the expected rows from its own implementation of the rules (`reference_rules`, `reference_columns`).
"""
