"""Business questions: the input tables and result columns of each query. Its SQL is in `sql/{name}.sql`."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from importlib.resources import files

from pin_pipeline.records import Column

_COUNTRY = Column(name="country", type="string", description="Country from which the pins were posted.")
_CATEGORY = Column(name="category", type="string", description="Category of the pins.")
_CATEGORY_COUNT = Column(name="category_count", type="bigint", description="Number of posts in the category.")
_POST_YEAR = Column(name="post_year", type="int", description="Year of the post (UTC).")
_POSTER_NAME = Column(name="poster_name", type="string", description="Name of the account that posted.")
_FOLLOWERS = Column(name="follower_count", type="bigint", description="Number of followers of the poster.")
_AGE_GROUP = Column(
    name="age_group", type="string", description="Age group of the user: 18-24, 25-35, 36-50 or 50+ (from 51)."
)
_JOIN_YEAR = Column(name="join_year", type="int", description="Year in which the user joined (UTC).")
_MEDIAN = Column(
    name="median_follower_count", type="double", description="Exact median of the follower count over all posts."
)
_USERS = Column(
    name="number_users_joined", type="bigint", description="Number of distinct users, by name, age and join date."
)
_USER_RECORDS = Column(name="number_user_records", type="bigint", description="Number of user records, one per post.")


@dataclass(frozen=True)
class Query:
    """One business question.

    Attributes:
        inputs: record types whose cleaned tables the SQL reads; each is a view named after its record type.
        columns: columns of the result.
    """

    name: str
    question: str
    inputs: tuple[str, ...]
    columns: tuple[Column, ...]

    @property
    def key(self) -> str:
        """Asset key of the result table."""
        return f"queries/{self.name}"

    @cached_property
    def sql(self) -> str:
        """SQL statement of the query."""
        return _read(self.name)


def functions_sql() -> str:
    """Return the SQL statement that defines the functions shared by all queries."""
    return _read("functions")


def _read(name: str) -> str:
    return files("pin_pipeline.batch").joinpath("sql", f"{name}.sql").read_text(encoding="utf-8")


_ALL = (
    Query(
        "most_popular_category_by_country",
        "What is the most popular category in each country?",
        ("pin", "geo"),
        (_COUNTRY, _CATEGORY, _CATEGORY_COUNT),
    ),
    Query(
        "posts_by_category_and_year",
        "How many posts did each category have in each year from 2018 to 2022?",
        ("pin", "geo"),
        (_POST_YEAR, _CATEGORY, _CATEGORY_COUNT),
    ),
    Query(
        "most_popular_category_by_year",
        "What was the most popular category in each year from 2018 to 2022?",
        ("pin", "geo"),
        (_POST_YEAR, _CATEGORY, _CATEGORY_COUNT),
    ),
    Query(
        "most_followed_poster_by_country",
        "Who is the most followed poster in each country?",
        ("pin", "geo"),
        (_COUNTRY, _POSTER_NAME, _FOLLOWERS),
    ),
    Query(
        "country_of_most_followed_poster",
        "Which country has the most followed poster overall?",
        ("pin", "geo"),
        (_COUNTRY, _FOLLOWERS),
    ),
    Query(
        "most_popular_category_by_age_group",
        "What is the most popular category in each age group?",
        ("pin", "user"),
        (_AGE_GROUP, _CATEGORY, _CATEGORY_COUNT),
    ),
    Query(
        "median_followers_by_age_group",
        "What is the median follower count of each age group?",
        ("pin", "user"),
        (_AGE_GROUP, _MEDIAN),
    ),
    Query(
        "users_joined_by_year",
        "How many users joined in each year from 2015 to 2020?",
        ("user",),
        (_JOIN_YEAR, _USERS, _USER_RECORDS),
    ),
    Query(
        "median_followers_by_join_year",
        "What is the median follower count of users by the year in which they joined, from 2015 to 2020?",
        ("pin", "user"),
        (_JOIN_YEAR, _MEDIAN),
    ),
    Query(
        "median_followers_by_join_year_and_age_group",
        "What is the median follower count of users by join year, from 2015 to 2020, and age group?",
        ("pin", "user"),
        (_JOIN_YEAR, _AGE_GROUP, _MEDIAN),
    ),
)

QUERIES: dict[str, Query] = {query.name: query for query in _ALL}
