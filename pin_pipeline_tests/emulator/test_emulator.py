"""The emulator, from a real source database to a real HTTP server."""

from __future__ import annotations

from pathlib import Path
from threading import Event

import pytest

from pin_pipeline.emulator import synthetic
from pin_pipeline.emulator.emulator import Counts, emulate, pace_of
from pin_pipeline.emulator.gateway_client import GatewayError
from pin_pipeline.emulator.sampling import Draws
from pin_pipeline.emulator.sinks import Topics
from pin_pipeline.emulator.source import SourceDatabase, SourceError
from pin_pipeline.records import RECORD_TYPES
from pin_pipeline_tests.emulator.gateway_double import Answer, GatewayDouble, acknowledge


def test_every_draw_is_posted_to_the_three_topics_in_order(
    filled: SourceDatabase, gateway: GatewayDouble, topics: Topics
) -> None:
    progress: list[int] = []
    counts = emulate(filled, topics, Draws(250), progress.append)
    positions = [draw.position for draw in Draws(250)]
    for record_type in RECORD_TYPES.values():
        assert [value[record_type.key] for value in gateway.values(f"demo.{record_type.name}")] == positions
        assert counts[record_type.name] == Counts(sent=250, acknowledged=250, refused=0)
    assert progress == [100, 200, 250]
    assert len(gateway.requests) == 9


def test_rows_are_posted_as_they_stand_in_the_source(
    filled: SourceDatabase, gateway: GatewayDouble, topics: Topics
) -> None:
    emulate(filled, topics, Draws(30), lambda _: None)
    for record_type in RECORD_TYPES:
        rows = [
            {name: value if isinstance(value, int | float | str) else str(value) for name, value in row.items()}
            for row in filled.rows(record_type, (draw.position for draw in Draws(30)))
        ]
        posted = gateway.values(f"demo.{record_type}")
        assert [list(value.items()) for value in posted] == [list(row.items()) for row in rows]


def test_refused_records_are_counted_and_the_rest_goes_on(
    filled: SourceDatabase, gateway: GatewayDouble, topics: Topics
) -> None:
    gateway.script = [acknowledge(100, refused=(3, 99)), acknowledge(100), acknowledge(100, refused=(0,))]
    counts = emulate(filled, topics, Draws(120), lambda _: None)
    assert counts == {"pin": Counts(120, 118, 2), "geo": Counts(120, 120, 0), "user": Counts(120, 119, 1)}


class Waits(Event):
    """Notes how long it is waited for, and is set after so many times."""

    def __init__(self, times: int) -> None:
        super().__init__()
        self.seconds: list[float | None] = []
        self.times = times

    def wait(self, timeout: float | None = None) -> bool:
        self.seconds.append(timeout)
        return len(self.seconds) > self.times


def test_a_paced_run_waits_each_pause_and_posts_row_by_row(
    filled: SourceDatabase, gateway: GatewayDouble, topics: Topics
) -> None:
    waits = Waits(10)
    emulate(filled, topics, Draws(10), lambda _: None, pace=pace_of(None, paced=True), stop=waits)
    assert waits.seconds == [draw.pause for draw in Draws(10)]
    assert [len(records) for _, records in gateway.requests] == [1] * 30
    assert [value["index"] for value in gateway.values("demo.pin")] == [draw.position for draw in Draws(10)]


def test_a_rate_waits_its_part_of_a_second_before_each_draw(filled: SourceDatabase, topics: Topics) -> None:
    waits = Waits(5)
    emulate(filled, topics, Draws(5), lambda _: None, pace=pace_of(20, paced=True), stop=waits)
    assert waits.seconds == [0.05] * 5


def test_an_endless_run_ends_between_two_draws_when_it_is_told_to(
    filled: SourceDatabase, gateway: GatewayDouble, topics: Topics
) -> None:
    counts = emulate(filled, topics, Draws(None), lambda _: None, stop=Waits(3))
    positions = [draw.position for draw in Draws(300)]
    for record_type in RECORD_TYPES.values():
        assert [value[record_type.key] for value in gateway.values(f"demo.{record_type.name}")] == positions
        assert counts[record_type.name] == Counts(sent=300, acknowledged=300, refused=0)


def test_in_sequence_every_row_is_sent_once(filled: SourceDatabase, gateway: GatewayDouble, topics: Topics) -> None:
    counts = emulate(filled, topics, Draws(None, first_row=11_000, sequential=True), lambda _: None)
    assert [value["index"] for value in gateway.values("demo.pin")] == [*range(11_000, synthetic.ROWS)]
    assert {count.sent for count in counts.values()} == {synthetic.ROWS - 11_000}


def test_an_error_of_the_gateway_ends_the_run_where_it_was(
    filled: SourceDatabase, gateway: GatewayDouble, topics: Topics
) -> None:
    gateway.script = [acknowledge(100)] * 3 + [Answer(500, b"broken")]
    progress: list[int] = []
    with pytest.raises(GatewayError, match="500 broken"):
        emulate(filled, topics, Draws(300), progress.append)
    assert progress == [100]


def test_draws_beyond_the_last_row_are_an_error_before_anything_is_posted(
    tmp_path: Path, filled: SourceDatabase, gateway: GatewayDouble, topics: Topics
) -> None:
    small = SourceDatabase(f"sqlite:///{tmp_path / 'small.db'}")
    for record_type in RECORD_TYPES:
        small.load(record_type, filled.rows(record_type, range(10)))
    with pytest.raises(SourceError, match="pinterest_data has 10 rows, but rows 0 to 10 are to be drawn"):
        emulate(small, topics, Draws(5, last_row=10), lambda _: None)
    assert gateway.requests == []
    counts = emulate(small, topics, Draws(5, last_row=9), lambda _: None)
    assert {count.acknowledged for count in counts.values()} == {5}
