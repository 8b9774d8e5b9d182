"""Supervision of the streaming jobs: heartbeats, health and restart decisions."""
