"""Serving layer: views that join batch results with real-time rows."""
