"""Raw rows with many ties, empty groups and boundary values, for tests of the queries."""

from __future__ import annotations

from datetime import datetime, timedelta
from random import Random
from typing import Any

from pin_pipeline_tests.helpers.rows import geo, pin, user


def edge_case_rows() -> dict[str, list[dict[str, Any]]]:
    """Generate rows with few distinct values, so that there are many ties, empty groups and boundaries."""
    random = Random(11)

    def timestamp(first: int, last: int) -> str:
        start = datetime(first, 1, 1)  # noqa: DTZ001 - without a time zone, as in the source
        return str(start + timedelta(seconds=random.randrange(31_556_952 * (last - first))))

    counts = ["0", "5", "1k", "1.5k", "2M", "User Info Error"]
    edges = ["2017-12-31 23:59:59", "2018-01-01 00:00:00", "2022-12-31T23:59:59", "2023-01-01T00:00:00"]
    joins = ["2014-12-31 23:59:59", "2015-01-01 00:00:00", "2020-12-31 23:59:59", "2021-01-01 00:00:00"]
    ages = [17, 18, 24, 25, 35, 36, 50, 51, 60]
    return {
        "pin": [
            pin(
                key,
                category=random.choice("abc"),
                follower_count=(count := random.choice(counts)),
                poster_name=count if count == "User Info Error" else random.choice(["Ada", "Bob", "Cy"]),
            )
            for key in range(160)
        ],
        "geo": [
            geo(
                key,
                country=random.choice(["Chad", "Cuba", "Côte d'Ivoire", "Korea (North)"]),
                timestamp=edges[key % 4] if key % 10 == 0 else timestamp(2017, 2024),
            )
            for key in range(20, 180)
        ],
        "user": [
            user(
                key,
                first_name=random.choice(["Ada", "Bob"]),
                age=random.choice(ages),
                date_joined=joins[key % 4] if key % 5 == 0 else "2016-05-05 05:05:05",
            )
            for key in range(10, 170)
        ],
    }
