"""Durations of the windows of the real-time tables, and the interval at which hourly windows start."""

from datetime import timedelta

CATEGORY_TRENDS = timedelta(minutes=5)
PROFILE_POPULARITY = timedelta(hours=1)
PROFILE_POPULARITY_EVERY = timedelta(minutes=10)
