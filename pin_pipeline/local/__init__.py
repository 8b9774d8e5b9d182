"""The local environment: real servers on this machine, for one `PIN_HOME`, without an account and without Docker."""
