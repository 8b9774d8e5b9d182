"""Records per second that the gateway acknowledges, compared with a plain endpoint for one record per request."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from statistics import median

import httpx
import orjson

from benchmarks.load import Load, post_all
from benchmarks.local_services import isolated, local_services
from benchmarks.records import synthetic_values
from benchmarks.report import Measurement, log_progress, print_report, require_equal
from pin_pipeline.local import ports
from pin_pipeline.reconciliation.broker import BrokerReader
from pin_pipeline.records import PIN
from pin_pipeline.settings import Settings, child_environment

CONNECTIONS, BATCH_RECORDS = 16, 100
ROUNDS = 3
"""Each round measures all programs in turn: the load of the machine varies more per minute than the results differ."""
WARM_UP_RECORDS, SINGLE_RECORDS, BATCHED_RECORDS = 2_000, 10_000, 300_000


def main() -> None:
    """Post the same records to both, one per request, and then to the gateway with a hundred per request."""
    with local_services() as settings, _plain_endpoint(settings) as url:
        rounds = [_round(settings, url, number) for number in range(ROUNDS)]
    plain, single, batch = zip(*rounds, strict=True)
    single_ratio, batch_ratio = _ratio(single, plain), BATCH_RECORDS * _ratio(batch, plain)
    print_report(
        _rate("plain endpoint, one record per request", plain),
        _rate("gateway, one record per request", single),
        _rate(f"gateway, {BATCH_RECORDS} records per request", batch, BATCH_RECORDS),
        _p99("plain endpoint, p99", plain),
        _p99("gateway, one record per request, p99", single),
        _p99(f"gateway, {BATCH_RECORDS} records per request, p99", batch),
        Measurement("gateway / plain endpoint, one record per request", single_ratio, "x", at_least=4),
        Measurement(f"gateway, {BATCH_RECORDS} per request / plain endpoint", batch_ratio, "x", at_least=100),
    )


def _round(settings: Settings, url: str, number: int) -> tuple[Load, Load, Load]:
    def settings_of(name: str) -> Settings:
        return isolated(settings, f"{name}{number}")

    log_progress(f"round {number + 1} of {ROUNDS}: the plain endpoint, {SINGLE_RECORDS:,} records, one per request")
    plain = _measure(settings_of("plain"), url, SINGLE_RECORDS, 0)
    log_progress(f"the gateway, {SINGLE_RECORDS:,} records, one per request")
    single = _measure(settings_of("single"), settings.gateway_url, SINGLE_RECORDS, 1)
    log_progress(f"the gateway, {BATCHED_RECORDS:,} records, {BATCH_RECORDS} per request")
    batch = _measure(settings_of("batch"), settings.gateway_url, BATCHED_RECORDS, BATCH_RECORDS)
    return plain, single, batch


def _rate(name: str, rounds: Sequence[Load], batch_records: int = 1) -> Measurement:
    return Measurement(name, batch_records * median(each.requests_per_second for each in rounds), "records/s")


def _p99(name: str, rounds: Sequence[Load]) -> Measurement:
    return Measurement(name, median(each.p99_seconds for each in rounds) * 1000, "ms")


def _ratio(gateway: Sequence[Load], baseline: Sequence[Load]) -> float:
    """Return the median ratio of request rates over the rounds."""
    pairs = zip(gateway, baseline, strict=True)
    return median(ours.requests_per_second / theirs.requests_per_second for ours, theirs in pairs)


def _measure(settings: Settings, url: str, records: int, batch_records: int) -> Load:
    """Post records, and verify that each is on the topic once; `batch_records` is 0 for a bare record as the body."""
    topic = settings.topic(PIN.name)
    values = list(synthetic_values(PIN.name, WARM_UP_RECORDS + records))
    address = f"{url}/topics/{topic}"
    post_all(address, bodies(values[:WARM_UP_RECORDS], batch_records), CONNECTIONS)
    load = post_all(address, bodies(values[WARM_UP_RECORDS:], batch_records), CONNECTIONS)
    require_equal("records on the topic and records posted", _sorted(_stored(settings, topic)), _sorted(values))
    return load


def _stored(settings: Settings, topic: str) -> Iterator[bytes]:
    broker = BrokerReader(settings.kafka, topic)
    for partition in broker.partitions():
        yield from (value or b"" for _, value in broker.messages(partition, 0))
    broker.close()


def _sorted(values: Iterable[bytes]) -> list[bytes]:
    """Sort JSON values in a canonical form: the plain endpoint formats them differently."""
    return sorted(orjson.dumps(orjson.loads(value)) for value in values)


def bodies(values: Sequence[bytes], batch_records: int) -> list[bytes]:
    """Return the bodies of requests with `batch_records` values each; 0 for bare records as bodies."""
    if not batch_records:
        return list(values)
    starts = range(0, len(values), batch_records)
    records = [b'{"value":' + value + b"}" for value in values]
    return [b'{"records":[' + b",".join(records[start : start + batch_records]) + b"]}" for start in starts]


@contextmanager
def _plain_endpoint(settings: Settings) -> Iterator[str]:
    url = f"http://{ports.HOST}:{(port := ports.free_port())}"
    options = ["--host", ports.HOST, "--port", str(port), "--log-level", "warning"]
    command = [sys.executable, "-m", "uvicorn", "benchmarks.plain_endpoint:app", *options]
    with subprocess.Popen(command, env=child_environment(settings.variables())) as process:  # noqa: S603
        try:
            while process.poll() is None:
                with suppress(httpx.TransportError):
                    httpx.get(f"{url}/openapi.json")
                    break
                time.sleep(0.1)
            yield url
        finally:
            process.terminate()


if __name__ == "__main__":
    main()
