"""The emulator: posts the rows of each draw to the gateway, as users post pins, geolocations and themselves."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice

from pin_pipeline.emulation.draws import Draws
from pin_pipeline.emulation.jsonl import Row
from pin_pipeline.emulation.rest import TopicClient
from pin_pipeline.emulation.source import SourceDatabase, SourceError
from pin_pipeline.records import KINDS

DRAWS_PER_REQUEST = 100

log = logging.getLogger(__name__)


@dataclass
class Counts:
    """What became of the records sent of one kind: the gateway acknowledged or refused each of them."""

    sent: int = 0
    acknowledged: int = 0
    refused: int = 0


def emulate(
    database: SourceDatabase,
    gateway_url: str,
    prefix: str,
    draws: Draws,
    progress: Callable[[int], None],
    *,
    paced: bool = False,
) -> dict[str, Counts]:
    """Post the three rows of every draw, in the order of the draws, to the topics `{prefix}.{kind}`.

    Args:
        database: where the rows are read.
        gateway_url: base URL of a Kafka REST v2 service.
        prefix: what the topics' names begin with.
        draws: which rows.
        progress: called with the number of draws posted so far.
        paced: wait each draw's pause and post row by row; otherwise many draws go in one request.

    Returns:
        The counts of each record kind.

    Raises:
        SourceError: the database cannot be read, or has fewer rows than the draws reach; then nothing was posted.
        GatewayError: the gateway is away, or answered a request with an error; earlier requests stand.
    """
    _check_reach(database, draws)
    counts = {kind: Counts() for kind in KINDS}
    rows = {kind: database.rows(kind, (draw.position for draw in draws)) for kind in KINDS}
    turns = iter(draws)
    posted = 0
    with TopicClient(gateway_url) as client:
        while turn := list(islice(turns, 1 if paced else DRAWS_PER_REQUEST)):
            if paced:
                time.sleep(turn[0].pause)
            for kind in KINDS:
                _post(client, f"{prefix}.{kind}", list(islice(rows[kind], len(turn))), counts[kind])
            posted += len(turn)
            progress(posted)
    return counts


def _check_reach(database: SourceDatabase, draws: Draws) -> None:
    for kind, definition in KINDS.items():
        count = database.count(kind)
        if count <= draws.last_row:
            raise SourceError(
                f"{database}: table {definition.source_table} has {count} rows, but rows 0 to {draws.last_row} are to"
                " be drawn; fill it with `pin-pipeline source load`, or draw from fewer rows"
            )


def _post(client: TopicClient, topic: str, rows: list[Row], counts: Counts) -> None:
    refusals = [refusal for refusal in client.post(topic, rows) if refusal is not None]
    counts.sent += len(rows)
    counts.refused += len(refusals)
    counts.acknowledged += len(rows) - len(refusals)
    if refusals:
        log.warning("%s: %d of %d records refused, the first: %s", topic, len(refusals), len(rows), refusals[0])
