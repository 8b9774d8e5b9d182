"""Reconciliation: verifies that every landed record is published, superseded or quarantined."""
