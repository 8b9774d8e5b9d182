"""Real-time dashboard: a web page and its JSON API."""
