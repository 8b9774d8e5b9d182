"""Output of processes, read while they run."""

from __future__ import annotations

import subprocess


def read_until(process: subprocess.Popen[str], text: str) -> list[str]:
    """Return the lines of the output of a process up to the first one that contains a text."""
    assert process.stdout
    lines = []
    for line in process.stdout:
        lines.append(line)
        if text in line:
            return lines
    _, error = process.communicate()
    raise AssertionError(f"the process ended without printing {text!r}; its last lines: {lines[-20:]}, {error}")
