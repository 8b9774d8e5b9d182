"""Benchmarks against named baselines: `python -m benchmarks.NAME`; targets and results are in `README.md`."""
