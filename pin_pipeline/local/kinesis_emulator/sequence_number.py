"""Sequence numbers: they increase along a shard and into its children, and identify the stream and the shard.

As on AWS they have 56 digits that are opaque to clients. The encoding is specific to this emulator.
"""

from __future__ import annotations

from typing import NamedTuple

_VERSION, _CREATED_BITS, _NUMBER_BITS, _SHARD_BITS = 2, 48, 96, 40


class SequenceNumber(NamedTuple):
    """The position of a record.

    Attributes:
        created: when the shard was created, in epoch milliseconds.
        number: number of the record in its stream.
        shard: number of the shard in its stream.
    """

    created: int
    number: int
    shard: int

    def __str__(self) -> str:
        """Return the digits; they sort in the order of the fields."""
        value = _VERSION << _CREATED_BITS | self.created
        value = value << _NUMBER_BITS | self.number
        return str(value << _SHARD_BITS | self.shard)

    @classmethod
    def parse(cls, digits: str) -> SequenceNumber:
        """Decode a sequence number.

        Raises:
            ValueError: the digits are not a sequence number of this emulator.
        """
        value = int(digits)
        sequence = cls(
            value >> _NUMBER_BITS + _SHARD_BITS & (1 << _CREATED_BITS) - 1,
            value >> _SHARD_BITS & (1 << _NUMBER_BITS) - 1,
            value & (1 << _SHARD_BITS) - 1,
        )
        if str(sequence) != digits:
            raise ValueError(f"invalid sequence number {digits}")
        return sequence
