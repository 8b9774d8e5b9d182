"""The cleaning rules and the ten queries in plain Python, written from their description alone: no Spark, no SQL.

A second opinion for the tests: it shares nothing with the code it is compared with.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from statistics import median
from typing import Any

Row = dict[str, Any]
SENTINELS = {
    "title": {"No Title Data Available"},
    "description": {"No description available", "No description available Story format"},
    "poster_name": {"User Info Error"},
    "follower_count": {"User Info Error"},
    "tag_list": {"N,o, ,T,a,g,s, ,A,v,a,i,l,a,b,l,e"},
    "image_src": {"Image src error."},
}
FACTORS = {"k": 1_000, "m": 1_000_000, "b": 1_000_000_000}


def text(row: Row, name: str) -> str | None:
    value = row.get(name)
    if value is None or value in SENTINELS.get(name, ()) or not value.strip(" \t\n\r\f\v\xa0"):
        return None
    return str(value)


def followers(written: str | None) -> int | None:
    if written is None:
        return None
    factor = FACTORS.get(written[-1].lower())
    return int(Decimal(written[:-1]) * factor) if factor else int(written)


def moment(written: str | datetime) -> datetime:
    parsed = written if isinstance(written, datetime) else datetime.fromisoformat(written)
    return parsed.replace(tzinfo=UTC) if parsed.tzinfo is None else parsed.astimezone(UTC)


def clean_pin(row: Row) -> Row:
    path = text(row, "save_location")
    names = ("title", "description", "poster_name", "tag_list", "is_image_or_video", "image_src", "category")
    return {
        "ind": row["index"],
        "unique_id": text(row, "unique_id"),
        **{name: text(row, name) for name in names},
        "follower_count": followers(text(row, "follower_count")),
        "save_location": path.removeprefix("Local save in ") if path else None,
    }


def clean_geo(row: Row) -> Row:
    return {
        "ind": row["ind"],
        "country": text(row, "country"),
        "coordinates": [float(row["latitude"]), float(row["longitude"])],
        "timestamp": moment(row["timestamp"]),
    }


def clean_user(row: Row) -> Row:
    names = [name for name in (text(row, "first_name"), text(row, "last_name")) if name]
    return {
        "ind": row["ind"],
        "user_name": " ".join(names) or None,
        "age": row["age"],
        "date_joined": moment(row["date_joined"]),
    }


CLEAN: dict[str, Callable[[Row], Row]] = {"pin": clean_pin, "geo": clean_geo, "user": clean_user}
Tables = Mapping[str, Mapping[int, Row]]


def cleaned(rows: Mapping[str, Iterable[Row]]) -> Tables:
    """The cleaned tables by key; of the rows of one key the last wins."""
    return {kind: {row["ind"]: row for row in map(CLEAN[kind], of_kind)} for kind, of_kind in rows.items()}


def age_group(age: int) -> str | None:
    for low, high, name in ((18, 24, "18-24"), (25, 35, "25-35"), (36, 50, "36-50"), (51, 10**9, "50+")):
        if low <= age <= high:
            return name
    return None


def _joined(tables: Tables, other: str) -> list[Row]:
    return [{**tables["pin"][key], **row} for key, row in tables[other].items() if key in tables["pin"]]


def _top(counts: Counter[tuple[Any, Any]]) -> set[tuple[Any, ...]]:
    """Of each first part the second parts with the highest count, all ties."""
    best: dict[Any, int] = defaultdict(int)
    for (group, _), count in counts.items():
        best[group] = max(best[group], count)
    return {(group, value, count) for (group, value), count in counts.items() if count == best[group]}


def _medians(rows: Iterable[Row], group: Callable[[Row], Any]) -> dict[Any, float]:
    values: dict[Any, list[int]] = defaultdict(list)
    for row in rows:
        if row["follower_count"] is not None and group(row) is not None:
            values[group(row)].append(row["follower_count"])
    return {key: float(median(of_group)) for key, of_group in values.items()}


def _join_year(row: Row) -> int | None:
    year: int = row["date_joined"].year
    return year if 2015 <= year <= 2020 else None


def queries(tables: Tables) -> dict[str, set[tuple[Any, ...]]]:
    """The rows of each query."""
    places, users = _joined(tables, "geo"), _joined(tables, "user")
    recent = [row for row in places if 2018 <= row["timestamp"].year <= 2022]
    by_year = Counter((row["timestamp"].year, row["category"]) for row in recent)
    followed = [row for row in places if row["follower_count"] is not None]
    most = {
        c: max(r["follower_count"] for r in followed if r["country"] == c) for c in {r["country"] for r in followed}
    }
    joined = [row for row in tables["user"].values() if _join_year(row)]
    return {
        "most_popular_category_by_country": _top(Counter((row["country"], row["category"]) for row in places)),
        "posts_by_category_and_year": {(year, category, count) for (year, category), count in by_year.items()},
        "most_popular_category_by_year": _top(by_year),
        "most_followed_poster_by_country": {
            (row["country"], row["poster_name"], row["follower_count"])
            for row in followed
            if row["follower_count"] == most[row["country"]]
        },
        "country_of_most_followed_poster": {
            (country, count) for country, count in most.items() if count == max(most.values())
        },
        "most_popular_category_by_age_group": _top(
            Counter((age_group(row["age"]), row["category"]) for row in users if age_group(row["age"]))
        ),
        "median_followers_by_age_group": set(_medians(users, lambda row: age_group(row["age"])).items()),
        "users_joined_by_year": {
            (
                year,
                len({(r["user_name"], r["age"], r["date_joined"]) for r in joined if _join_year(r) == year}),
                sum(_join_year(r) == year for r in joined),
            )
            for year in {_join_year(row) for row in joined}
        },
        "median_followers_by_join_year": set(_medians(users, _join_year).items()),
        "median_followers_by_join_year_and_age_group": {
            (*group, value)
            for group, value in _medians(
                users, lambda row: (_join_year(row), age_group(row["age"])) if _both(row) else None
            ).items()
        },
    }


def _both(row: Row) -> bool:
    return _join_year(row) is not None and age_group(row["age"]) is not None
