"""Emulator: draws posts from the source database and sends them to the gateway."""
