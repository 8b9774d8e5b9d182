"""Synthetic pins: text in several scripts, posters with followers, and the sentinels of failed scraping."""

from __future__ import annotations

import uuid
from bisect import bisect
from collections.abc import Iterator
from dataclasses import dataclass
from random import Random
from string import capwords

from pin_pipeline.emulator.files import SourceRow
from pin_pipeline.emulator.vocabulary import (
    EMOJI,
    ENGLISH,
    FIRST_NAMES,
    LAST_NAMES,
    OTHER_LANGUAGES,
    POSTER_ENDINGS,
    TAG_MODIFIERS,
    TAG_NOUNS,
)
from pin_pipeline.records import PIN
from pin_pipeline.records.fields import Text
from pin_pipeline.records.pin import CATEGORIES, IMAGE, STORY, VIDEO

# First key of each category, in the order of CATEGORIES.
CATEGORY_STARTS = (0, 896, 1638, 2637, 3467, 4330, 5078, 5865, 6725, 7577, 8487, 9458, 10316)
MEDIA_SHARES = {IMAGE: 0.899, STORY: 0.071, VIDEO: 0.03}
SENTINELS = {field.name: field.sentinels for field in PIN.fields if isinstance(field, Text)}

# Shares measured on the real table. Only stories lack their image, and some of these lack every scraped field.
STORY_SCRAPE_FAILED = 0.094
STORY_WITHOUT_IMAGE = 0.245
WITHOUT_TAGS = 0.0076
WITHOUT_DESCRIPTION = 0.015
TRUNCATED, OTHER_LANGUAGE, WITH_EMOJI, QUOTED = 0.399, 0.115, 0.022, 0.023
TITLE_WITH_LEADING_SPACE = 0.003

TRUNCATED_CHARACTERS = 177
TRUNCATION_MARK = "…\u00a0"
LONGEST_NAME = 268
POSTERS = 8_000
LONG_NAMES = 0.001
FOLLOWERS_CHANGED = 0.0025
FOLLOWER_SHARES = {"": 0.175, "k": 0.747, "M": 0.078}
THOUSANDS, MILLIONS = range(1, 992), range(1, 16)
THOUSANDS_WEIGHTS, MILLIONS_WEIGHTS = [1 / n for n in THOUSANDS], [1 / (n * n) for n in MILLIONS]


@dataclass(frozen=True)
class Poster:
    """An account with its abbreviated follower count."""

    name: str
    followers: str


def generate_pins(random: Random, count: int) -> Iterator[SourceRow]:
    """Generate pins with indexes 0 to `count` - 1 and columns in stored order."""
    posters = [_poster(random) for _ in range(POSTERS)]
    untitled = random.randrange(count)
    for index in range(count):
        rank = random.random()
        row = _pin(random, index, posters[int(POSTERS * rank * rank)])
        yield row | {"title": ""} if index == untitled else row


def _pin(random: Random, index: int, poster: Poster) -> SourceRow:
    media = random.choices(list(MEDIA_SHARES), list(MEDIA_SHARES.values()))[0]
    scrape_failed = media == STORY and random.random() < STORY_SCRAPE_FAILED
    has_image = not scrape_failed and not (media == STORY and random.random() < STORY_WITHOUT_IMAGE)
    has_tags = not scrape_failed and random.random() >= WITHOUT_TAGS
    words = OTHER_LANGUAGES[random.randrange(len(OTHER_LANGUAGES))] if random.random() < OTHER_LANGUAGE else ENGLISH
    followers = _followers(random) if random.random() < FOLLOWERS_CHANGED else poster.followers
    category = CATEGORIES[bisect(CATEGORY_STARTS, index) - 1]
    return {
        "index": index,
        "unique_id": str(uuid.UUID(int=random.randrange(2**128), version=4)),
        "title": SENTINELS["title"][0] if scrape_failed else _title(random, words),
        "description": _description(random, words, story=media == STORY),
        "poster_name": SENTINELS["poster_name"][0] if scrape_failed else poster.name,
        "follower_count": SENTINELS["follower_count"][0] if scrape_failed else followers,
        "tag_list": _tags(random) if has_tags else SENTINELS["tag_list"][0],
        "is_image_or_video": media,
        "image_src": _image_url(random) if has_image else SENTINELS["image_src"][0],
        "downloaded": int(has_image),
        "save_location": f"Local save in /data/{category}",
        "category": category,
    }


def _poster(random: Random) -> Poster:
    ending = random.choices(POSTER_ENDINGS)[0]
    name = f"{random.choices(FIRST_NAMES)[0]} {random.choices(LAST_NAMES)[0]}{ending}"
    if random.random() < LONG_NAMES:
        name = " | ".join([name, *_tags(random).split(","), *_tags(random).split(",")])[:LONGEST_NAME]
    return Poster(name, _followers(random))


def _followers(random: Random) -> str:
    unit = random.choices(list(FOLLOWER_SHARES), list(FOLLOWER_SHARES.values()))[0]
    if unit == "k":
        return f"{random.choices(THOUSANDS, THOUSANDS_WEIGHTS)[0]}k"
    if unit == "M":
        return f"{random.choices(MILLIONS, MILLIONS_WEIGHTS)[0]}M"
    return str(random.randrange(998))


def _title(random: Random, words: tuple[str, ...]) -> str:
    title = capwords(" ".join(random.choices(words, k=random.randrange(2, 12))))
    return random.choices((" ", "\n", "\n  "))[0] + title if random.random() < TITLE_WITH_LEADING_SPACE else title


def _description(random: Random, words: tuple[str, ...], *, story: bool) -> str:
    no_description, no_story_description = SENTINELS["description"]
    if story:
        return no_story_description
    if random.random() < WITHOUT_DESCRIPTION:
        return no_description
    chosen = random.choices(words, k=80)
    if random.random() < WITH_EMOJI:
        chosen.insert(1, random.choices(EMOJI)[0])
    if random.random() < QUOTED:
        chosen[0] = f'"{chosen[0]}"'
    if random.random() < TRUNCATED:
        return " ".join(chosen)[:TRUNCATED_CHARACTERS] + TRUNCATION_MARK
    return " ".join(chosen[: random.randrange(3, 24)]) + "."


def _tags(random: Random) -> str:
    modifiers, nouns = random.choices(TAG_MODIFIERS, k=9), random.choices(TAG_NOUNS, k=9)
    return ",".join(f"{modifier} {noun}" for modifier, noun in zip(modifiers, nouns, strict=True))


def _image_url(random: Random) -> str:
    name = f"{random.randrange(2**128):032x}"
    return f"https://images.example.com/originals/{name[:2]}/{name[2:4]}/{name[4:6]}/{name}.jpg"
