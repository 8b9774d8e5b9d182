"""Process that writes micro-batches as the queries do, for tests that kill it.

Like Spark, it stores its progress in a checkpoint after each batch. So it may repeat a batch, but skips none.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from random import Random

from pin_pipeline.records import PIN
from pin_pipeline.settings import Settings
from pin_pipeline.storage.lake import Lake
from pin_pipeline.storage.postgres import Postgres
from pin_pipeline.streaming.delta_sink import DeltaSink
from pin_pipeline.streaming.postgres_sink import PinsSink
from pin_pipeline_tests.streaming import classified_rows


def write(settings: Settings, records: Sequence[tuple[str, str, bytes]], checkpoint: Path, max_records: int) -> None:
    """Write records, each given by its shard, sequence number and bytes, to Delta and to Postgres."""
    stream, topic = DeltaSink(Lake.of(settings), PIN, ("s", 1)), PinsSink(Postgres(settings.postgres_url))
    random = Random(os.getpid())
    done = int(checkpoint.read_text()) if checkpoint.exists() else 0
    while done < len(records):
        end = min(done + random.randint(1, max_records), len(records))
        stream.write(classified_rows.classify_stream_records(records[done:end]))
        topic.write(classified_rows.classify_topic_records((offset, records[offset][2]) for offset in range(done, end)))
        done = end
        unfinished = checkpoint.with_suffix(".new")
        unfinished.write_text(str(done))
        unfinished.replace(checkpoint)
