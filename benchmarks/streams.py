"""The streaming paths: how much the Kinesis source and the Delta sink carry, and how many files they leave."""

from __future__ import annotations
