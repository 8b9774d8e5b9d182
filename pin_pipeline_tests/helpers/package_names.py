"""Names of Python packages."""

from __future__ import annotations

import re


def normalized(name: str) -> str:
    """Return the form of a name in which package indexes compare it (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()
