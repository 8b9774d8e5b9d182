"""Local environment: servers, processes, ports and jars."""
