"""The business questions: what each asks, reads and answers. The SQL stands in a file of the query's name."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from importlib.resources import files

from pin_pipeline.records import Column

_COUNTRY = Column(name="country", type="string", description="Country the pins were posted from.")
_CATEGORY = Column(name="category", type="string", description="Category of the pins.")
_CATEGORY_COUNT = Column(name="category_count", type="bigint", description="Posts in the category.")
_POST_YEAR = Column(name="post_year", type="int", description="Year of the post's timestamp, UTC.")
_POSTER_NAME = Column(name="poster_name", type="string", description="Who posted.")
_FOLLOWERS = Column(name="follower_count", type="bigint", description="Followers of the poster.")
_AGE_GROUP = Column(name="age_group", type="string", description="18-24, 25-35, 36-50 or 50+; 50 belongs to 36-50.")
_JOIN_YEAR = Column(name="join_year", type="int", description="Year the user joined, UTC.")
_MEDIAN = Column(name="median_follower_count", type="double", description="Exact median over the posts.")
_USERS = Column(name="number_users_joined", type="bigint", description="Distinct users by name, age and join date.")
_USER_RECORDS = Column(name="number_user_records", type="bigint", description="User rows behind them.")


@dataclass(frozen=True)
class Query:
    """One question over the cleaned tables, each of which its SQL sees under the kind's name."""

    name: str
    question: str
    inputs: tuple[str, ...]
    columns: tuple[Column, ...]

    @property
    def key(self) -> str:
        """The asset's key."""
        return f"queries/{self.name}"

    @cached_property
    def sql(self) -> str:
        """The statement that answers the question."""
        return _read(self.name)


def functions_sql() -> str:
    """The statement that defines the functions shared by the queries."""
    return _read("functions")


def _read(name: str) -> str:
    return files("pin_pipeline.batch").joinpath("sql", f"{name}.sql").read_text(encoding="utf-8")


_ALL = (
    Query(
        "most_popular_category_by_country",
        "Which category is posted most in each country?",
        ("pin", "geo"),
        (_COUNTRY, _CATEGORY, _CATEGORY_COUNT),
    ),
    Query(
        "posts_by_category_and_year",
        "How many posts has each category in each year from 2018 to 2022?",
        ("pin", "geo"),
        (_POST_YEAR, _CATEGORY, _CATEGORY_COUNT),
    ),
    Query(
        "most_popular_category_by_year",
        "Which category is posted most in each year from 2018 to 2022?",
        ("pin", "geo"),
        (_POST_YEAR, _CATEGORY, _CATEGORY_COUNT),
    ),
    Query(
        "most_followed_poster_by_country",
        "Who has most followers among those who post from each country?",
        ("pin", "geo"),
        (_COUNTRY, _POSTER_NAME, _FOLLOWERS),
    ),
    Query(
        "country_of_most_followed_poster",
        "From which country does the poster with most followers of all post?",
        ("pin", "geo"),
        (_COUNTRY, _FOLLOWERS),
    ),
    Query(
        "most_popular_category_by_age_group",
        "Which category is posted most by each age group?",
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
        "What is the median follower count of those who joined in each year from 2015 to 2020?",
        ("pin", "user"),
        (_JOIN_YEAR, _MEDIAN),
    ),
    Query(
        "median_followers_by_join_year_and_age_group",
        "What is the median follower count of each age group that joined in each year from 2015 to 2020?",
        ("pin", "user"),
        (_JOIN_YEAR, _AGE_GROUP, _MEDIAN),
    ),
)

QUERIES: dict[str, Query] = {query.name: query for query in _ALL}
