"""How long the windows of the real-time tables are, and how often one begins."""

from datetime import timedelta

CATEGORY_TRENDS = timedelta(minutes=5)
PROFILE_POPULARITY = timedelta(hours=1)
PROFILE_POPULARITY_EVERY = timedelta(minutes=10)
