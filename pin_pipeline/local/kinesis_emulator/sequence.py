"""Sequence numbers: they grow along a shard and into its children, and tell which shard of which stream they are of.

As on AWS they are 56 digits that clients must not read; the parts are our own.
"""

from __future__ import annotations

from typing import NamedTuple

_VERSION, _CREATED_BITS, _NUMBER_BITS, _SHARD_BITS = 2, 48, 96, 40


class Sequence(NamedTuple):
    """When the shard was created in epoch milliseconds, the number of the record in its stream, and the shard's."""

    created: int
    number: int
    shard: int

    def __str__(self) -> str:
        """The digits; they sort as the parts do."""
        value = _VERSION << _CREATED_BITS | self.created
        value = value << _NUMBER_BITS | self.number
        return str(value << _SHARD_BITS | self.shard)

    @classmethod
    def parse(cls, digits: str) -> Sequence:
        """The parts of a sequence number.

        Raises:
            ValueError: it is none.
        """
        value = int(digits)
        sequence = cls(
            value >> _NUMBER_BITS + _SHARD_BITS & (1 << _CREATED_BITS) - 1,
            value >> _SHARD_BITS & (1 << _NUMBER_BITS) - 1,
            value & (1 << _SHARD_BITS) - 1,
        )
        if str(sequence) != digits:
            raise ValueError(f"{digits} is no sequence number")
        return sequence
