"""Command line interface `pin-pipeline`."""
