"""Emulator: sends the pin, geolocation and user row of each draw to a sink, as if a user had posted it."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
from threading import Event

from pin_pipeline.emulator.files import SourceRow
from pin_pipeline.emulator.gateway_client import GatewayError
from pin_pipeline.emulator.sampling import Draw, Draws
from pin_pipeline.emulator.sinks import Sink
from pin_pipeline.emulator.source import SourceDatabase
from pin_pipeline.emulator.source_tables import SourceError
from pin_pipeline.records import RECORD_TYPES

DRAWS_PER_REQUEST = 100
"""Draws sent in one request per record type when the run is not paced."""

log = logging.getLogger(__name__)
Pace = Callable[[Draw], float]
"""Function that returns the seconds to wait before a draw."""


@dataclass
class SendCounts:
    """Number of records sent of one record type; each was either acknowledged or refused."""

    sent: int = 0
    acknowledged: int = 0
    refused: int = 0


def create_pace(draws_per_second: float | None, *, paced: bool) -> Pace | None:
    """Return the pace of a run; None for as fast as possible.

    Args:
        draws_per_second: maximum rate; takes precedence over `paced`.
        paced: wait the 0 or 1 s of each draw, as the original emulator does.
    """
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
) -> dict[str, SendCounts]:
    """Send the three rows of every draw, in the order of the draws.

    Args:
        database: source of the rows.
        sink: receiver of the rows.
        draws: positions of the rows.
        progress: called with the number of draws sent so far.
        pace: seconds to wait before each draw, which is then sent by itself; by default draws are sent in batches,
            without waiting.
        stop: when set, ends the run between two draws.

    Returns:
        The counts of each record type.

    Raises:
        SourceError: the draws exceed the rows, or keys are missing or not unique, and nothing was sent; or the database
            cannot be read, or has a value that cannot be posted. The log has the counts so far.
        GatewayError: a request failed; its records may or may not have been written. The log has the counts so far.
    """
    stop = stop or Event()
    draws = _with_last_row(database, draws)
    counts = {record_type: SendCounts() for record_type in RECORD_TYPES}
    rows = {record_type: database.rows(record_type, (draw.position for draw in draws)) for record_type in RECORD_TYPES}
    remaining = iter(draws)
    sent = 0
    while batch := list(islice(remaining, 1 if pace else DRAWS_PER_REQUEST)):
        if stop.wait(pace(batch[0]) if pace else 0):
            break
        try:
            # All rows of a draw are read before one of them is sent, since any may be refused.
            read = {record_type: list(islice(rows[record_type], len(batch))) for record_type in RECORD_TYPES}
            for record_type in RECORD_TYPES:
                _send(sink, record_type, read[record_type], counts[record_type])
        except (GatewayError, SourceError):
            log.warning("emulator stopped by an error after %d draws: %s", sent, counts)
            raise
        sent += len(batch)
        progress(sent)
    return counts


def _with_last_row(database: SourceDatabase, draws: Draws) -> Draws:
    """Resolve the default of `last_row`, and check that every table has that row."""
    counts = {record_type: database.count(record_type) for record_type in RECORD_TYPES}
    draws = draws.with_last_row(min(counts.values()))
    if draws.last_row is not None and draws.first_row > draws.last_row:
        raise SourceError(
            f"cannot draw rows {draws.first_row} to {draws.last_row} of {database}, whose smallest table has"
            f" {min(counts.values())} rows: expected a first row before the last row"
        )
    for record_type, count in counts.items():
        if draws.last_row is not None and count <= draws.last_row:
            raise SourceError(
                f"cannot draw rows {draws.first_row} to {draws.last_row} of table"
                f" {RECORD_TYPES[record_type].source_table} in {database}: it has {count} rows; load more rows with"
                " `pin-pipeline source load`, or set a lower last row"
            )
    return draws


def _send(sink: Sink, record_type: str, rows: list[SourceRow], counts: SendCounts) -> None:
    refusals = [refusal for refusal in sink.send(record_type, rows) if refusal is not None]
    counts.sent += len(rows)
    counts.refused += len(refusals)
    counts.acknowledged += len(rows) - len(refusals)
    if refusals:
        log.warning(
            "%d of %d %s records refused; first refusal: %s", len(refusals), len(rows), record_type, refusals[0]
        )
