"""Benchmark of the emulator: records per second on the topics, against the six per second of the original."""

from __future__ import annotations

from benchmarks.local_services import local_services
from benchmarks.report import Measurement, log_progress, measure_seconds, print_report, require_equal
from pin_pipeline.emulator import synthetic
from pin_pipeline.emulator.emulator import emulate
from pin_pipeline.emulator.gateway_client import Gateway
from pin_pipeline.emulator.sampling import Draws
from pin_pipeline.emulator.sinks import TopicSink
from pin_pipeline.emulator.source import SourceDatabase
from pin_pipeline.reconciliation.broker import BrokerReader
from pin_pipeline.records import RECORD_TYPES
from pin_pipeline.settings import Settings

DRAWS = 30_000
ORIGINAL_RATE = 6
"""Records per second of the original: one record of each type, then a pause of half a second on average."""


def main() -> None:
    """Emulate without pauses, and count the records on the broker."""
    with local_services() as settings:
        database = SourceDatabase(settings.source_url)
        synthetic.fill_if_empty(database)
        log_progress(f"{DRAWS:,} draws")
        with Gateway(settings.gateway_url) as gateway:
            sink = TopicSink(gateway, {record_type: settings.topic(record_type) for record_type in RECORD_TYPES})
            duration = measure_seconds(lambda: emulate(database, sink, Draws(DRAWS), lambda _: None))
        records = _records_on_topics(settings)
        require_equal("records on the topics and drawn records", records, DRAWS * len(RECORD_TYPES))
    rate = records / duration
    print_report(
        Measurement("records on the topics", rate, "records/s"),
        Measurement("emulator / original (6 records/s)", rate / ORIGINAL_RATE, "x", at_least=1_000),
    )


def _records_on_topics(settings: Settings) -> int:
    readers = [BrokerReader(settings.kafka, settings.topic(record_type)) for record_type in RECORD_TYPES]
    records = sum(reader.end(number) - reader.begin(number) for reader in readers for number in reader.partitions())
    for reader in readers:
        reader.close()
    return records


if __name__ == "__main__":
    main()
