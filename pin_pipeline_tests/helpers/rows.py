"""Valid raw records, which tests can modify."""

from __future__ import annotations

from typing import Any

Row = dict[str, Any]


def pin(ind: Any = 1, **changes: Any) -> Row:
    return {
        "index": ind,
        "unique_id": "0f0a9e4e-9a5c-4d64-8f3e-8f8b5a4d6c11",
        "title": f"Pin {ind}",
        "description": "Something to look at",
        "poster_name": "Ada",
        "follower_count": "12k",
        "tag_list": "a,b,c,d,e,f,g,h,i",
        "is_image_or_video": "image",
        "image_src": "https://example.org/1.jpg",
        "downloaded": 1,
        "save_location": "Local save in /data/art",
        "category": "art",
    } | changes


def geo(ind: Any = 1, **changes: Any) -> Row:
    return {
        "ind": ind,
        "timestamp": "2019-01-01 07:21:13",
        "latitude": -88.8298,
        "longitude": 170.188,
        "country": "Albania",
    } | changes


def user(ind: Any = 1, **changes: Any) -> Row:
    return {
        "ind": ind,
        "first_name": "Ada",
        "last_name": "Lovelace",
        "age": 36,
        "date_joined": "2016-02-29T21:26:45",
    } | changes
