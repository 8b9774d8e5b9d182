"""Quarantine: rejected records with their reason, source position and original bytes."""
