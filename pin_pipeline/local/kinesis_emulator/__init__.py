"""Kinesis Data Streams emulator: streams kept in one SQLite file and served over AWS's JSON protocol."""
