"""Emulator, from a real source database to a real HTTP server."""

from __future__ import annotations

from pathlib import Path
from threading import Event

import pytest

from pin_pipeline.emulator import synthetic
from pin_pipeline.emulator.emulator import SendCounts, create_pace, emulate
from pin_pipeline.emulator.gateway_client import GatewayError
from pin_pipeline.emulator.sampling import Draws
from pin_pipeline.emulator.sinks import TopicSink
from pin_pipeline.emulator.source import SourceDatabase
from pin_pipeline.emulator.source_tables import SourceError
from pin_pipeline.records import RECORD_TYPES
from pin_pipeline_tests.emulator.gateway_double import GatewayDouble, ScriptedResponse, acknowledge


def test_emulator_posts_every_draw_to_three_topics_in_order(
    filled_database: SourceDatabase, gateway: GatewayDouble, topics: TopicSink
) -> None:
    progress: list[int] = []
    counts = emulate(filled_database, topics, Draws(250), progress.append)
    positions = [draw.position for draw in Draws(250)]
    for record_type in RECORD_TYPES.values():
        assert [value[record_type.key] for value in gateway.values(f"demo.{record_type.name}")] == positions
        assert counts[record_type.name] == SendCounts(sent=250, acknowledged=250, refused=0)
    assert progress == [100, 200, 250]
    assert len(gateway.requests) == 9


def test_emulator_posts_rows_unchanged(
    filled_database: SourceDatabase, gateway: GatewayDouble, topics: TopicSink
) -> None:
    emulate(filled_database, topics, Draws(30), lambda _: None)
    for record_type in RECORD_TYPES:
        rows = [
            {name: value if isinstance(value, int | float | str) else str(value) for name, value in row.items()}
            for row in filled_database.rows(record_type, (draw.position for draw in Draws(30)))
        ]
        posted = gateway.values(f"demo.{record_type}")
        assert [list(value.items()) for value in posted] == [list(row.items()) for row in rows]


def test_emulator_counts_refused_records_and_continues(
    filled_database: SourceDatabase, gateway: GatewayDouble, topics: TopicSink
) -> None:
    gateway.script = [acknowledge(100, refused=(3, 99)), acknowledge(100), acknowledge(100, refused=(0,))]
    counts = emulate(filled_database, topics, Draws(120), lambda _: None)
    assert counts == {"pin": SendCounts(120, 118, 2), "geo": SendCounts(120, 120, 0), "user": SendCounts(120, 119, 1)}


class RecordedWaits(Event):
    """Event that records the timeout of each wait, and is set after the given number of waits."""

    def __init__(self, times: int) -> None:
        super().__init__()
        self.seconds: list[float | None] = []
        self.times = times

    def wait(self, timeout: float | None = None) -> bool:
        self.seconds.append(timeout)
        return len(self.seconds) > self.times


def test_emulator_paced_waits_each_pause_and_posts_row_by_row(
    filled_database: SourceDatabase, gateway: GatewayDouble, topics: TopicSink
) -> None:
    waits = RecordedWaits(10)
    emulate(filled_database, topics, Draws(10), lambda _: None, pace=create_pace(None, paced=True), stop=waits)
    assert waits.seconds == [draw.pause for draw in Draws(10)]
    assert [len(records) for _, records in gateway.requests] == [1] * 30
    assert [value["index"] for value in gateway.values("demo.pin")] == [draw.position for draw in Draws(10)]


def test_emulator_rate_waits_constant_interval_before_each_draw(
    filled_database: SourceDatabase, topics: TopicSink
) -> None:
    waits = RecordedWaits(5)
    emulate(filled_database, topics, Draws(5), lambda _: None, pace=create_pace(20, paced=True), stop=waits)
    assert waits.seconds == [0.05] * 5


def test_emulator_endless_run_stops_between_two_draws(
    filled_database: SourceDatabase, gateway: GatewayDouble, topics: TopicSink
) -> None:
    counts = emulate(filled_database, topics, Draws(None), lambda _: None, stop=RecordedWaits(3))
    positions = [draw.position for draw in Draws(300)]
    for record_type in RECORD_TYPES.values():
        assert [value[record_type.key] for value in gateway.values(f"demo.{record_type.name}")] == positions
        assert counts[record_type.name] == SendCounts(sent=300, acknowledged=300, refused=0)


def test_emulator_sequential_run_sends_every_row_once(
    filled_database: SourceDatabase, gateway: GatewayDouble, topics: TopicSink
) -> None:
    counts = emulate(filled_database, topics, Draws(None, first_row=11_000, sequential=True), lambda _: None)
    assert [value["index"] for value in gateway.values("demo.pin")] == [*range(11_000, synthetic.ROWS)]
    assert {count.sent for count in counts.values()} == {synthetic.ROWS - 11_000}


def test_emulator_gateway_error_ends_run_at_last_progress(
    filled_database: SourceDatabase, gateway: GatewayDouble, topics: TopicSink
) -> None:
    gateway.script = [acknowledge(100)] * 3 + [ScriptedResponse(500, b"broken")]
    progress: list[int] = []
    with pytest.raises(GatewayError, match="500 broken"):
        emulate(filled_database, topics, Draws(300), progress.append)
    assert progress == [100]


def test_emulator_rejects_draws_beyond_last_row_before_posting(
    tmp_path: Path, filled_database: SourceDatabase, gateway: GatewayDouble, topics: TopicSink
) -> None:
    small = SourceDatabase(f"sqlite:///{tmp_path / 'small.db'}")
    for record_type in RECORD_TYPES:
        small.load(record_type, filled_database.rows(record_type, range(10)))
    with pytest.raises(
        SourceError,
        match=r"cannot draw rows 0 to 10 of table pinterest_data in source database sqlite:.*: it has 10 rows",
    ):
        emulate(small, topics, Draws(5, last_row=10), lambda _: None)
    assert gateway.requests == []
    counts = emulate(small, topics, Draws(5, last_row=9), lambda _: None)
    assert {count.acknowledged for count in counts.values()} == {5}


@pytest.mark.parametrize("sequential", [False, True])
def test_emulator_rejects_a_first_row_after_the_last_row(
    filled_database: SourceDatabase, gateway: GatewayDouble, topics: TopicSink, *, sequential: bool
) -> None:
    for draws in (Draws(5, first_row=5, last_row=2, sequential=sequential), Draws(5, first_row=synthetic.ROWS)):
        with pytest.raises(
            SourceError, match=r"cannot draw rows \d+ to \d+ of .*: expected a first row before the last"
        ):
            emulate(filled_database, topics, draws, lambda _: None)
    assert gateway.requests == []
