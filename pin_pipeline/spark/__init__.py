"""Spark sessions, settings and helpers shared by batch and streaming."""
