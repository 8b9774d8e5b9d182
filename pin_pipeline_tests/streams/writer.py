"""A process that writes micro-batches as the queries do, to be killed: `python -m pin_pipeline_tests.streams.writer`.

It has a checkpoint as Spark has one: how far it is, is noted after a batch was written. So it may write a batch twice,
but skips none.
"""

from __future__ import annotations

import base64
import json
import os
import sys
from pathlib import Path
from random import Random

from pin_pipeline import environment
from pin_pipeline.lakehouse.lake import Lake
from pin_pipeline.records import PIN
from pin_pipeline.streams.delta import DeltaSink
from pin_pipeline.streams.postgres import Postgres
from pin_pipeline.streams.realtime import PinsSink
from pin_pipeline_tests.streams import judged

MOST_RECORDS = 40


def main(records_file: str, checkpoint_file: str, created: str) -> None:
    """Write records, each given as shard, sequence number and base64 bytes, to Delta and to Postgres."""
    lines = Path(records_file).read_text().splitlines()
    records = [(shard, number, base64.b64decode(data)) for shard, number, data in map(json.loads, lines)]
    settings = environment.load()
    stream, topic = DeltaSink(Lake.of(settings), PIN, ("s", int(created))), PinsSink(Postgres(settings.postgres_url))
    checkpoint, random = Path(checkpoint_file), Random(os.getpid())
    done = int(checkpoint.read_text()) if checkpoint.exists() else 0
    while done < len(records):
        end = min(done + random.randint(1, MOST_RECORDS), len(records))
        stream.write(judged.of_stream(records[done:end]))
        topic.write(judged.of_topic((offset, records[offset][2]) for offset in range(done, end)))
        done = end
        unfinished = checkpoint.with_suffix(".new")
        unfinished.write_text(str(done))
        unfinished.replace(checkpoint)


if __name__ == "__main__":
    main(*sys.argv[1:])
