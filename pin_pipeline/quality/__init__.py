"""Data quality checks of the cleaned tables."""
