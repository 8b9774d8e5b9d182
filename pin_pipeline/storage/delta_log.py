"""Transaction log of a Delta table, read one commit at a time.

The log folder is never listed, because the time that a listing takes grows with the number of objects in the bucket.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pyarrow import NativeFile
from pyarrow.fs import FileSystem

CommitInfo = Mapping[str, Any]


@dataclass(frozen=True)
class DeltaLog:
    """The commit files of one table."""

    files: FileSystem = field(repr=False)
    folder: str
    _cache: dict[int, CommitInfo] = field(default_factory=dict, init=False, repr=False, compare=False)

    def has_version(self, version: int) -> bool:
        """Return whether the log has a commit of this version."""
        try:
            self._open(version).close()
        except FileNotFoundError:
            return False
        return True

    def commit_info(self, version: int) -> CommitInfo:
        """Return the `commitInfo` of a commit. Commits are immutable, so each is read once.

        Raises:
            FileNotFoundError: the log has no such commit, or no longer has it.
        """
        if version not in self._cache:
            with self._open(version) as file:
                actions = map(json.loads, file.read().splitlines())
                self._cache[version] = next((action["commitInfo"] for action in actions if "commitInfo" in action), {})
        return self._cache[version]

    def _open(self, version: int) -> NativeFile:
        return self.files.open_input_stream(f"{self.folder}/{version:020}.json")
