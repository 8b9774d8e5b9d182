"""Checks of the repository itself, run by `make check`; not part of the installed package."""
