"""Asset checks: data quality, reconciliation and stream health."""
