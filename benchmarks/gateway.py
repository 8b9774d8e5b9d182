"""Records a second that the gateway acknowledges, against a plain endpoint that acknowledges one a request."""

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
from benchmarks.report import Measured, conclude, require_equal, say
from pin_pipeline.local import ports
from pin_pipeline.reconciliation.broker import BrokerReader
from pin_pipeline.records import PIN
from pin_pipeline.settings import Settings

CONNECTIONS, RECORDS_A_REQUEST = 16, 100
# In turn: what else the machine does swings more from minute to minute than what is compared.
ROUNDS = 3
WARM_UP, ONE_BY_ONE, IN_BATCHES = 2_000, 10_000, 300_000


def main() -> None:
    """Post the same records to both, one a request, and then to the gateway a hundred a request."""
    with local_services() as settings, _plain_endpoint() as url:
        rounds = [_round(settings, url, number) for number in range(ROUNDS)]
    plain, single, batch = zip(*rounds, strict=True)
    single_ratio, batch_ratio = _ratio(single, plain), RECORDS_A_REQUEST * _ratio(batch, plain)
    conclude(
        _rate("plain endpoint, one record a request", plain),
        _rate("gateway, one record a request", single),
        _rate(f"gateway, {RECORDS_A_REQUEST} records a request", batch, RECORDS_A_REQUEST),
        _p99("plain endpoint, p99", plain),
        _p99("gateway, one record a request, p99", single),
        _p99(f"gateway, {RECORDS_A_REQUEST} records a request, p99", batch),
        Measured("gateway / plain endpoint, one record a request", single_ratio, "x", at_least=4),
        Measured(f"gateway, {RECORDS_A_REQUEST} a request / plain endpoint", batch_ratio, "x", at_least=100),
    )


def _round(settings: Settings, url: str, number: int) -> tuple[Load, Load, Load]:
    def of_round(name: str) -> Settings:
        return isolated(settings, f"{name}{number}")

    say(f"round {number + 1} of {ROUNDS}: the plain endpoint, {ONE_BY_ONE:,} records, one a request")
    plain = _measure(of_round("plain"), url, ONE_BY_ONE, 0)
    say(f"the gateway, {ONE_BY_ONE:,} records, one a request")
    single = _measure(of_round("single"), settings.gateway_url, ONE_BY_ONE, 1)
    say(f"the gateway, {IN_BATCHES:,} records, {RECORDS_A_REQUEST} a request")
    batch = _measure(of_round("batch"), settings.gateway_url, IN_BATCHES, RECORDS_A_REQUEST)
    return plain, single, batch


def _rate(name: str, rounds: Sequence[Load], records_a_request: int = 1) -> Measured:
    return Measured(name, records_a_request * median(each.requests_a_second for each in rounds), "records/s")


def _p99(name: str, rounds: Sequence[Load]) -> Measured:
    return Measured(name, median(each.p99_seconds for each in rounds) * 1000, "ms")


def _ratio(ours: Sequence[Load], peers: Sequence[Load]) -> float:
    """The median of each round's ratio."""
    return median(our.requests_a_second / peer.requests_a_second for our, peer in zip(ours, peers, strict=True))


def _measure(settings: Settings, url: str, records: int, records_a_request: int) -> Load:
    """Post records, 0 a request for a bare record as the body, and prove that each is on the topic, once."""
    topic = settings.topic(PIN.name)
    values = list(synthetic_values(PIN.name, WARM_UP + records))
    address = f"{url}/topics/{topic}"
    post_all(address, bodies(values[:WARM_UP], records_a_request), CONNECTIONS)
    load = post_all(address, bodies(values[WARM_UP:], records_a_request), CONNECTIONS)
    require_equal("records on the topic and posted", _sorted(_stored(settings, topic)), _sorted(values))
    return load


def _stored(settings: Settings, topic: str) -> Iterator[bytes]:
    broker = BrokerReader(settings.kafka, topic)
    for partition in broker.partitions():
        yield from (value or b"" for _, value in broker.messages(partition, 0))
    broker.close()


def _sorted(values: Iterable[bytes]) -> list[bytes]:
    """JSON values in one order and one spelling: the plain endpoint spells them in its own way."""
    return sorted(orjson.dumps(orjson.loads(value)) for value in values)


def bodies(values: Sequence[bytes], records_a_request: int) -> list[bytes]:
    """The bodies of requests that post these values, 0 a request for a bare record as the body."""
    if not records_a_request:
        return list(values)
    starts = range(0, len(values), records_a_request)
    records = [b'{"value":' + value + b"}" for value in values]
    return [b'{"records":[' + b",".join(records[start : start + records_a_request]) + b"]}" for start in starts]


@contextmanager
def _plain_endpoint() -> Iterator[str]:
    url = f"http://{ports.HOST}:{(port := ports.free_port())}"
    options = ["--host", ports.HOST, "--port", str(port), "--log-level", "warning"]
    command = [sys.executable, "-m", "uvicorn", "benchmarks.plain_endpoint:app", *options]
    with subprocess.Popen(command) as process:  # noqa: S603
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
