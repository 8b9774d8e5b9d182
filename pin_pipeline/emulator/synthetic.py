"""Synthetic source rows, identical on every machine, with the sizes, shares and quirks of the real tables."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from itertools import repeat
from math import fsum, prod
from random import Random
from typing import TypeVar

from pin_pipeline.emulator.countries import COUNTRIES
from pin_pipeline.emulator.files import SourceRow
from pin_pipeline.emulator.source import SourceDatabase
from pin_pipeline.emulator.synthetic_pins import generate_pins
from pin_pipeline.emulator.vocabulary import FIRST_NAMES, LAST_NAMES
from pin_pipeline.records import RECORD_TYPES

Item = TypeVar("Item")

ROWS = 11_154
DISTINCT_USERS = 5_307
MOST_POSTS, FEWEST_POSTS = 563, 5
POSTED = (datetime.fromisoformat("2017-10-19"), datetime.fromisoformat("2022-10-20"))
JOINED = (datetime.fromisoformat("2015-10-21"), datetime.fromisoformat("2017-10-21"))


def rows(record_type: str) -> Iterator[SourceRow]:
    """Generate the rows of a record type: keys 0 to 11,153, columns in stored order, timestamps as datetimes."""
    # random(), randrange(), choices() and fsum() give the same results in every Python version; sum() does not.
    return _GENERATORS[record_type](Random(f"synthetic {record_type}"))  # noqa: S311 - reproducible on purpose


def fill_if_empty(database: SourceDatabase) -> None:
    """Store the synthetic rows in a source database that has no rows."""
    if database.is_empty():
        fill(database)


def fill(database: SourceDatabase) -> None:
    """Store the synthetic rows of every record type."""
    for record_type in RECORD_TYPES:
        database.load(record_type, rows(record_type))


def _pins(random: Random) -> Iterator[SourceRow]:
    return generate_pins(random, ROWS)


def _geolocations(random: Random) -> Iterator[SourceRow]:
    countries = _shuffled(random, [name for name, count in _posts_by_country() for _ in range(count)])
    for ind, country in enumerate(countries):
        yield {
            "ind": ind,
            "timestamp": _timestamp(random.random(), POSTED),
            "latitude": round(random.random() * 180 - 90, 4),
            "longitude": round(random.random() * 360 - 180, 4),
            "country": country,
        }


def _posts_by_country() -> Iterator[tuple[str, int]]:
    """Distribute the posts over countries with a long tail; rounding errors are carried over to the next country."""
    first, *middle, last = COUNTRIES
    yield first, MOST_POSTS
    yield last, FEWEST_POSTS
    remaining = ROWS - MOST_POSTS - FEWEST_POSTS
    weights = [1 / (rank + 5) for rank in range(1, len(middle) + 1)]
    unit, cumulative, assigned = remaining / fsum(weights), 0.0, 0
    for country, weight in zip(middle, weights, strict=True):
        cumulative += weight * unit
        yield country, round(cumulative) - assigned
        assigned = round(cumulative)


def _users(random: Random) -> Iterator[SourceRow]:
    people: dict[tuple[object, ...], SourceRow] = {}
    while len(people) < DISTINCT_USERS:
        person = _person(random)
        people[tuple(person.values())] = person
    distinct = list(people.values())
    repeats = [distinct[int(len(distinct) * _skewed(random, 3))] for _ in range(ROWS - len(distinct))]
    for ind, person in enumerate(_shuffled(random, distinct + repeats)):
        yield {"ind": ind, **person}


def _person(random: Random) -> SourceRow:
    return {
        "first_name": random.choices(FIRST_NAMES)[0],
        "last_name": random.choices(LAST_NAMES)[0],
        "age": 20 + int(41 * _skewed(random, 2)),
        "date_joined": _timestamp(_skewed(random, 3), JOINED),
    }


def _skewed(random: Random, power: int) -> float:
    """Return a number from 0 to 1, mostly small: few users post most, and most users are young and joined early."""
    # Not `**`: its last bit depends on the platform.
    return prod(repeat(random.random(), power))


def _timestamp(fraction: float, period: tuple[datetime, datetime]) -> datetime:
    start, end = period
    return start + timedelta(seconds=int((end - start).total_seconds() * fraction))


def _shuffled(random: Random, items: list[Item]) -> list[Item]:
    return sorted(items, key=lambda _: random.random())


_GENERATORS: dict[str, Callable[[Random], Iterator[SourceRow]]] = {"pin": _pins, "geo": _geolocations, "user": _users}
