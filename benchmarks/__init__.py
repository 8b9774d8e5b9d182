"""What the pipeline costs, against named peers: `python -m benchmarks.NAME`."""
