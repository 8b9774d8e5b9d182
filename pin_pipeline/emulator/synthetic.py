"""Synthetic source rows, the same on every machine, with the sizes, shares and quirks measured on the real tables."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from itertools import repeat
from math import fsum, prod
from random import Random
from typing import TypeVar

from pin_pipeline.emulator.countries import COUNTRIES
from pin_pipeline.emulator.files import Row
from pin_pipeline.emulator.source import SourceDatabase
from pin_pipeline.emulator.synthetic_pins import pins
from pin_pipeline.emulator.vocabulary import FIRST_NAMES, LAST_NAMES
from pin_pipeline.records import RECORD_TYPES

Item = TypeVar("Item")

ROWS = 11_154
DISTINCT_USERS = 5_307
MOST_POSTS, FEWEST_POSTS = 563, 5
POSTED = (datetime.fromisoformat("2017-10-19"), datetime.fromisoformat("2022-10-20"))
JOINED = (datetime.fromisoformat("2015-10-21"), datetime.fromisoformat("2017-10-21"))


def rows(record_type: str) -> Iterator[Row]:
    """The synthetic rows of a record kind, keys 0 to 11,153, columns in stored order, timestamps as datetimes."""
    # random(), randrange(), choices() and fsum() give the same numbers in every version of Python; sum() does not.
    return _GENERATORS[record_type](Random(f"synthetic {record_type}"))  # noqa: S311 - reproducible on purpose


def fill(database: SourceDatabase) -> None:
    """Store the synthetic rows of every kind."""
    for record_type in RECORD_TYPES:
        database.load(record_type, rows(record_type))


def _pins(random: Random) -> Iterator[Row]:
    return pins(random, ROWS)


def _geolocations(random: Random) -> Iterator[Row]:
    countries = _shuffled(random, [name for name, count in _posts_by_country() for _ in range(count)])
    for ind, country in enumerate(countries):
        yield {
            "ind": ind,
            "timestamp": _moment(random.random(), POSTED),
            "latitude": round(random.random() * 180 - 90, 4),
            "longitude": round(random.random() * 360 - 180, 4),
            "country": country,
        }


def _posts_by_country() -> Iterator[tuple[str, int]]:
    """A long tail: posts fall with a country's rank; what rounding leaves over is carried to the next country."""
    first, *middle, last = COUNTRIES
    yield first, MOST_POSTS
    yield last, FEWEST_POSTS
    remaining = ROWS - MOST_POSTS - FEWEST_POSTS
    weights = [1 / (rank + 5) for rank in range(1, len(middle) + 1)]
    unit, due, given = remaining / fsum(weights), 0.0, 0
    for country, weight in zip(middle, weights, strict=True):
        due += weight * unit
        yield country, round(due) - given
        given = round(due)


def _users(random: Random) -> Iterator[Row]:
    people: dict[tuple[object, ...], Row] = {}
    while len(people) < DISTINCT_USERS:
        person = _person(random)
        people[tuple(person.values())] = person
    distinct = list(people.values())
    again = [distinct[int(len(distinct) * _skewed(random, 3))] for _ in range(ROWS - len(distinct))]
    for ind, person in enumerate(_shuffled(random, distinct + again)):
        yield {"ind": ind, **person}


def _person(random: Random) -> Row:
    return {
        "first_name": random.choices(FIRST_NAMES)[0],
        "last_name": random.choices(LAST_NAMES)[0],
        "age": 20 + int(41 * _skewed(random, 2)),
        "date_joined": _moment(_skewed(random, 3), JOINED),
    }


def _skewed(random: Random, power: int) -> float:
    """A number from 0 to 1, mostly small: few users post most, and most of them are young and joined early."""
    # Not `**`: its last bit is the platform's.
    return prod(repeat(random.random(), power))


def _moment(fraction: float, span: tuple[datetime, datetime]) -> datetime:
    start, end = span
    return start + timedelta(seconds=int((end - start).total_seconds() * fraction))


def _shuffled(random: Random, items: list[Item]) -> list[Item]:
    return sorted(items, key=lambda _: random.random())


_GENERATORS: dict[str, Callable[[Random], Iterator[Row]]] = {"pin": _pins, "geo": _geolocations, "user": _users}
