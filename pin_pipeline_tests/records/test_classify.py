"""Classification from several threads at once."""

from __future__ import annotations

import gc
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

from pin_pipeline.records import PIN
from pin_pipeline.records.classify import classify_values
from pin_pipeline_tests.helpers.rows import pin

THREADS = 4


def test_classification_pauses_garbage_collection_until_the_last_thread_has_finished() -> None:
    inside = Barrier(THREADS)
    enabled: list[bool] = []

    def values(number: int) -> Iterator[bytes]:
        inside.wait(10)
        yield json.dumps(pin(number)).encode()
        if number:
            inside_later.wait(10)
        enabled.append(gc.isenabled())

    inside_later = Barrier(THREADS - 1)
    with ThreadPoolExecutor(THREADS) as pool:
        found = list(pool.map(lambda number: len(classify_values(PIN, values(number))), range(THREADS)))
    assert (found, enabled) == ([1] * THREADS, [False] * THREADS)
    assert gc.isenabled()


def test_classification_leaves_garbage_collection_disabled_if_it_was() -> None:
    gc.disable()
    try:
        classify_values(PIN, [None])
        assert not gc.isenabled()
    finally:
        gc.enable()
