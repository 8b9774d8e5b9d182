"""The emulator: sends the rows of each draw, as users post pins, geolocations and themselves."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
from threading import Event

from pin_pipeline.emulator.files import Row
from pin_pipeline.emulator.gateway_client import GatewayError
from pin_pipeline.emulator.sampling import Draw, Draws
from pin_pipeline.emulator.sinks import Sink
from pin_pipeline.emulator.source import SourceDatabase, SourceError
from pin_pipeline.records import RECORD_TYPES

DRAWS_PER_REQUEST = 100

log = logging.getLogger(__name__)
Pace = Callable[[Draw], float]


@dataclass
class Counts:
    """What became of the records sent of one kind: each was acknowledged or refused."""

    sent: int = 0
    acknowledged: int = 0
    refused: int = 0


def pace_of(draws_per_second: float | None, *, paced: bool) -> Pace | None:
    """So many draws a second, or, paced, 0 or 1 s before each as the original emulator waits, or as fast as it goes."""
    if draws_per_second is not None:
        return lambda _: 1 / draws_per_second
    return (lambda draw: draw.pause) if paced else None


def emulate(
    database: SourceDatabase,
    sink: Sink,
    draws: Draws,
    progress: Callable[[int], None],
    *,
    pace: Pace | None = None,
    stop: Event | None = None,
) -> dict[str, Counts]:
    """Send the three rows of every draw, in the order of the draws.

    Args:
        database: where the rows are read.
        sink: where they go.
        draws: which rows.
        progress: called with the number of draws sent so far.
        pace: the seconds before each draw, which then goes by itself; otherwise many go at once, as fast as they can.
        stop: ends the run between two draws when it is set.

    Returns:
        The counts of each record kind.

    Raises:
        SourceError: the database cannot be read, or has fewer rows than the draws reach; then nothing was sent.
        GatewayError: it is not known what became of the last rows; what was counted until then is in the log.
    """
    stop = stop or Event()
    draws = _within_reach(database, draws)
    counts = {record_type: Counts() for record_type in RECORD_TYPES}
    rows = {record_type: database.rows(record_type, (draw.position for draw in draws)) for record_type in RECORD_TYPES}
    turns = iter(draws)
    sent = 0
    while turn := list(islice(turns, 1 if pace else DRAWS_PER_REQUEST)):
        if stop.wait(pace(turn[0]) if pace else 0):
            break
        try:
            for record_type in RECORD_TYPES:
                _send(sink, record_type, list(islice(rows[record_type], len(turn))), counts[record_type])
        except GatewayError:
            log.warning("after %d draws: %s", sent, counts)
            raise
        sent += len(turn)
        progress(sent)
    return counts


def _within_reach(database: SourceDatabase, draws: Draws) -> Draws:
    counts = {record_type: database.count(record_type) for record_type in RECORD_TYPES}
    draws = draws.within(min(counts.values()))
    for record_type, count in counts.items():
        if draws.last_row is not None and count <= draws.last_row:
            raise SourceError(
                f"{database}: table {RECORD_TYPES[record_type].source_table} has {count} rows, but rows {draws.first_row} to"
                f" {draws.last_row} are to be drawn; fill it with `pin-pipeline source load`, or draw from fewer rows"
            )
    return draws


def _send(sink: Sink, record_type: str, rows: list[Row], counts: Counts) -> None:
    refusals = [refusal for refusal in sink.send(record_type, rows) if refusal is not None]
    counts.sent += len(rows)
    counts.refused += len(refusals)
    counts.acknowledged += len(rows) - len(refusals)
    if refusals:
        log.warning("%s: %d of %d records refused, the first: %s", record_type, len(refusals), len(rows), refusals[0])
