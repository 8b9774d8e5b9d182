"""A Kinesis endpoint for this machine: streams on disk that reshard, expire and refuse as those of AWS do.

The emulators for Python lose or move records when a stream is resharded, which is what a reader has to be tried with.
"""
