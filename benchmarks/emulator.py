"""Records a second that the emulator brings to the topics, measured at the broker; the original sent six."""

from __future__ import annotations

from benchmarks import environment
from benchmarks.report import Measured, conclude, require_equal, say, seconds
from pin_pipeline.cli import demo
from pin_pipeline.emulator.emulator import emulate
from pin_pipeline.emulator.gateway_client import Gateway
from pin_pipeline.emulator.sampling import Draws
from pin_pipeline.emulator.sinks import Topics
from pin_pipeline.emulator.source import SourceDatabase
from pin_pipeline.reconciliation.broker import BrokerReader
from pin_pipeline.records import RECORD_TYPES
from pin_pipeline.settings import Settings

DRAWS = 30_000
# A pin, a geo and a user record, and a pause of half a second at an average.
ORIGINAL = 6


def main() -> None:
    """Emulate as fast as it goes."""
    with environment.fresh() as settings:
        database = SourceDatabase(settings.source_url)
        demo.fill_if_empty(database)
        say(f"{DRAWS:,} draws")
        with Gateway(settings.gateway_url) as gateway:
            sink = Topics(gateway, {record_type: settings.topic(record_type) for record_type in RECORD_TYPES})
            taken = seconds(lambda: emulate(database, sink, Draws(DRAWS), lambda _: None))
        records = _on_the_topics(settings)
        require_equal("records on the topics and drawn", records, DRAWS * len(RECORD_TYPES))
    rate = records / taken
    conclude(
        Measured("records on the topics", rate, "records/s"),
        Measured("emulator / the original's six a second", rate / ORIGINAL, "x", at_least=1_000),
    )


def _on_the_topics(settings: Settings) -> int:
    brokers = [BrokerReader(settings.kafka, settings.topic(record_type)) for record_type in RECORD_TYPES]
    found = sum(broker.end(number) - broker.begin(number) for broker in brokers for number in broker.partitions())
    for broker in brokers:
        broker.close()
    return found


if __name__ == "__main__":
    main()
