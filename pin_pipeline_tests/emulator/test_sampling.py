"""Draws of the emulator: the sequence is the same on every machine."""

from itertools import islice
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from pin_pipeline.emulator.sampling import Draw, Draws

FIRST_POSITIONS = [
    7528, 2863, 5730, 8304, 8731, 1313, 4315, 10794, 5494, 5069,
    2923, 3089, 6063, 3454, 7554, 6145, 10625, 2959, 9875, 2418,
]  # fmt: skip


def test_draws_seed_100_gives_known_positions() -> None:
    assert [draw.position for draw in Draws(20)] == FIRST_POSITIONS


def test_draws_every_iteration_starts_over() -> None:
    draws = Draws(50, seed=7)
    assert list(draws) == list(draws)
    assert list(islice(draws, 10)) == list(Draws(10, seed=7))


@given(seed=st.integers(), last_row=st.integers(0, 20_000))
def test_draws_sample_pause_then_position(seed: int, last_row: int) -> None:
    random = Random(seed)
    expected = [Draw(random.randrange(0, 2), random.randint(0, last_row)) for _ in range(5)]
    assert list(Draws(5, seed, last_row=last_row)) == expected


def test_draws_include_last_row() -> None:
    assert {draw.position for draw in Draws(100, last_row=2)} == {0, 1, 2}


def test_draws_sequential_give_each_row_once_with_seeded_pauses() -> None:
    draws = list(Draws(None, seed=7, first_row=3, last_row=6, sequential=True))
    assert [draw.position for draw in draws] == [3, 4, 5, 6]
    random = Random(7)
    assert [draw.pause for draw in draws] == [random.randrange(0, 2) for _ in range(4)]
    assert list(Draws(2, seed=7, first_row=3, last_row=6, sequential=True)) == draws[:2]


def test_draws_last_row_defaults_to_11000_or_end_of_table_when_sequential() -> None:
    assert Draws(1).with_last_row(20_000).last_row == 11_000
    assert Draws(None, sequential=True).with_last_row(20_000).last_row == 19_999
    assert Draws(1, last_row=5).with_last_row(20_000).last_row == 5
