"""A table's log, commit by commit. Nothing is listed: that takes the longer, the more objects a bucket has."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pyarrow import NativeFile
from pyarrow.fs import FileSystem

Info = Mapping[str, Any]


@dataclass(frozen=True)
class DeltaLog:
    """The files of a table's commits."""

    files: FileSystem = field(repr=False)
    folder: str
    _read: dict[int, Info] = field(default_factory=dict, init=False, repr=False, compare=False)

    def has(self, version: int) -> bool:
        """Whether there is a commit of this number."""
        try:
            self._open(version).close()
        except FileNotFoundError:
            return False
        return True

    def info(self, version: int) -> Info:
        """What a commit says of itself; it never changes, so it is read once.

        Raises:
            FileNotFoundError: there is none, or it was cleaned up.
        """
        if version not in self._read:
            with self._open(version) as file:
                actions = map(json.loads, file.read().splitlines())
                self._read[version] = next((action["commitInfo"] for action in actions if "commitInfo" in action), {})
        return self._read[version]

    def _open(self, version: int) -> NativeFile:
        return self.files.open_input_stream(f"{self.folder}/{version:020}.json")
