"""Reference implementation of the cleaning rules and the ten queries in plain Python, without Spark or SQL.

It was written from their description alone, and shares no code with the implementation that it is compared with.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
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


def clean_text(row: Row, name: str) -> str | None:
    value = row.get(name)
    if value is None or value in SENTINELS.get(name, ()) or not value.strip(" \t\n\r\f\v\xa0"):
        return None
    return str(value)


def clean_count(text: str | None) -> int | None:
    if text is None:
        return None
    factor = FACTORS.get(text[-1].lower())
    return int(Decimal(text[:-1]) * factor) if factor else int(text)


def clean_timestamp(value: str | datetime) -> datetime:
    parsed = value if isinstance(value, datetime) else datetime.fromisoformat(value)
    return parsed.replace(tzinfo=UTC) if parsed.tzinfo is None else parsed.astimezone(UTC)


def clean_pin(row: Row) -> Row:
    path = clean_text(row, "save_location")
    names = ("title", "description", "poster_name", "tag_list", "is_image_or_video", "image_src", "category")
    return {
        "ind": row["index"],
        "unique_id": clean_text(row, "unique_id"),
        **{name: clean_text(row, name) for name in names},
        "follower_count": clean_count(clean_text(row, "follower_count")),
        "save_location": path.removeprefix("Local save in ") if path else None,
    }


def clean_geo(row: Row) -> Row:
    return {
        "ind": row["ind"],
        "country": clean_text(row, "country"),
        "coordinates": [float(row["latitude"]), float(row["longitude"])],
        "timestamp": clean_timestamp(row["timestamp"]),
    }


def clean_user(row: Row) -> Row:
    names = [name for name in (clean_text(row, "first_name"), clean_text(row, "last_name")) if name]
    return {
        "ind": row["ind"],
        "user_name": " ".join(names) or None,
        "age": row["age"],
        "date_joined": clean_timestamp(row["date_joined"]),
    }


CLEAN: dict[str, Callable[[Row], Row]] = {"pin": clean_pin, "geo": clean_geo, "user": clean_user}
Tables = Mapping[str, Mapping[int, Row]]

OPTIONAL = {"description", "poster_name"}
MAX_KEY = 2**31 - 1
ISO = r"[0-9]{4}-[0-9]{2}-[0-9]{2}[ T][0-9]{2}:[0-9]{2}:[0-9]{2}([.][0-9]{1,6})?(Z|[+-](0[0-9]|1[0-4]):[0-5][0-9])?"


def reject_integer(value: Any, low: int, high: int) -> str | None:
    if isinstance(value, float):
        return "invalid_value"
    return reject_number(value, low, high)


def reject_number(value: Any, low: float, high: float) -> str | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return "wrong_type"
    return None if low <= value <= high else "invalid_value"


def reject_text(value: Any, name: str) -> str | None:
    if value is not None and not isinstance(value, str):
        return "wrong_type"
    text = clean_text({name: value}, name)
    if text is None:
        return None
    if name == "follower_count":
        return None if is_count(text) else "invalid_value"
    if name == "save_location":
        return None if text.removeprefix("Local save in ").startswith("/") else "invalid_value"
    return None


def is_count(text: str) -> bool:
    digits = text[:-1] if text[-1].lower() in FACTORS else text
    whole, point, fraction = digits.partition(".")
    parts = [(whole, 18), (fraction, 9)] if point else [(whole, 18)]
    if not all(part.isascii() and part.isdigit() and len(part) <= limit for part, limit in parts):
        return False
    count = Decimal(digits) * FACTORS.get(text[-1].lower(), 1)
    return count == int(count) and count < 2**63


def reject_timestamp(value: Any) -> str | None:
    if not isinstance(value, str):
        return "wrong_type"
    if not re.fullmatch(ISO, value):
        return "invalid_value"
    try:
        clean_timestamp(value)
    except (ValueError, OverflowError):
        return "invalid_value"
    return None


CHECKS: dict[str, Callable[[Any], str | None]] = {
    "index": lambda value: reject_integer(value, 0, MAX_KEY),
    "ind": lambda value: reject_integer(value, 0, MAX_KEY),
    "downloaded": lambda value: reject_integer(value, 0, 1),
    "age": lambda value: reject_integer(value, 0, 150),
    "latitude": lambda value: reject_number(value, -90, 90),
    "longitude": lambda value: reject_number(value, -180, 180),
    "timestamp": reject_timestamp,
    "date_joined": reject_timestamp,
}


def reject_value(name: str, value: Any) -> str | None:
    """Return the reason to reject the value of a field, or None if it is accepted."""
    return CHECKS[name](value) if name in CHECKS else reject_text(value, name)


def rejection(names: Sequence[str], row: Row) -> tuple[str, str | None] | None:
    """Return the reason to reject a row and the field concerned, or None if the row is accepted.

    Args:
        names: names of the fields in stored order; the first is the key.
    """
    key, *others = names
    if row.get(key) is None:
        return "no_key", key
    if not any(name in row for name in others if name not in OPTIONAL):
        return "another_kind", None
    for name in names:
        if name not in row and name not in OPTIONAL:
            return "missing_field", name
        reason = reject_value(name, row[name]) if name in row else None
        if reason is not None:
            return reason, name
    return None


def cleaned(rows: Mapping[str, Iterable[Row]]) -> Tables:
    """Return the cleaned tables by key; the last row of each key wins."""
    return {
        record_type: {row["ind"]: row for row in map(CLEAN[record_type], of_record_type)}
        for record_type, of_record_type in rows.items()
    }


def age_group(age: int) -> str | None:
    for low, high, name in ((18, 24, "18-24"), (25, 35, "25-35"), (36, 50, "36-50"), (51, 10**9, "50+")):
        if low <= age <= high:
            return name
    return None


def _joined(tables: Tables, other: str) -> list[Row]:
    return [{**tables["pin"][key], **row} for key, row in tables[other].items() if key in tables["pin"]]


def _top(counts: Counter[tuple[Any, Any]]) -> set[tuple[Any, ...]]:
    """Return the values with the highest count in each group, including ties."""
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
    """Return the rows of each query."""
    geo_posts, user_posts = _joined(tables, "geo"), _joined(tables, "user")
    recent = [row for row in geo_posts if 2018 <= row["timestamp"].year <= 2022]
    by_year = Counter((row["timestamp"].year, row["category"]) for row in recent)
    with_followers = [row for row in geo_posts if row["follower_count"] is not None]
    most = {
        c: max(r["follower_count"] for r in with_followers if r["country"] == c)
        for c in {r["country"] for r in with_followers}
    }
    joined = [row for row in tables["user"].values() if _join_year(row)]
    return {
        "most_popular_category_by_country": _top(Counter((row["country"], row["category"]) for row in geo_posts)),
        "posts_by_category_and_year": {(year, category, count) for (year, category), count in by_year.items()},
        "most_popular_category_by_year": _top(by_year),
        "most_followed_poster_by_country": {
            (row["country"], row["poster_name"], row["follower_count"])
            for row in with_followers
            if row["follower_count"] == most[row["country"]]
        },
        "country_of_most_followed_poster": {
            (country, count) for country, count in most.items() if count == max(most.values())
        },
        "most_popular_category_by_age_group": _top(
            Counter((age_group(row["age"]), row["category"]) for row in user_posts if age_group(row["age"]))
        ),
        "median_followers_by_age_group": set(_medians(user_posts, lambda row: age_group(row["age"])).items()),
        "users_joined_by_year": {
            (
                year,
                len({(r["user_name"], r["age"], r["date_joined"]) for r in joined if _join_year(r) == year}),
                sum(_join_year(r) == year for r in joined),
            )
            for year in {_join_year(row) for row in joined}
        },
        "median_followers_by_join_year": set(_medians(user_posts, _join_year).items()),
        "median_followers_by_join_year_and_age_group": {
            (*group, value)
            for group, value in _medians(
                user_posts, lambda row: (_join_year(row), age_group(row["age"])) if _both(row) else None
            ).items()
        },
    }


def _both(row: Row) -> bool:
    return _join_year(row) is not None and age_group(row["age"]) is not None
