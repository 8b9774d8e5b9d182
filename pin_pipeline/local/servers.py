"""All servers of a home: up, down, and how they are. With them the streaming jobs go down, which cannot do without."""

from __future__ import annotations

import fcntl
import os
import signal
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit

from pin_pipeline import settings as environment
from pin_pipeline.kafka.topics import create_topics
from pin_pipeline.local import dashboard, gateway, jars, kafka, kinesis, ports, postgres, s3
from pin_pipeline.local.server import ServerProcess
from pin_pipeline.records import RECORD_TYPES
from pin_pipeline.settings import DEFAULTS, Settings
from pin_pipeline.streaming.jobs import STREAMING_JOBS

# In the order of starting; stopped in the reverse.
ADDRESSES = {
    "kafka": "PIN_KAFKA_BOOTSTRAP",
    "s3": "PIN_S3_ENDPOINT_URL",
    "kinesis": "PIN_KINESIS_ENDPOINT_URL",
    "postgres": "PIN_POSTGRES_URL",
    "gateway": "PIN_GATEWAY_URL",
    "dashboard": "PIN_DASHBOARD_URL",
}
# Whom a server or streaming job is told the addresses of when it starts.
BEHIND = {
    "gateway": ("kafka", "kinesis"),
    "dashboard": ("s3", "postgres"),
    **dict.fromkeys(STREAMING_JOBS, ("kafka", "s3", "kinesis", "postgres")),
}
FORMS = {"kafka": "{}:{}", "postgres": f"postgresql://{postgres.USER}@{{}}:{{}}/{postgres.DATABASE}"}
STOP_SIGNALS = {"postgres": postgres.STOP_SIGNAL}


@dataclass(frozen=True)
class ServerStatus:
    """How a server is."""

    name: str
    alive: bool
    address: str
    process: ServerProcess


def up() -> Settings:
    """Start what does not run, wait until all of it answers, make topics, bucket, database and streams.

    Raises:
        LocalError: something needed is missing, or a server does not start.
    """
    jars.ensure("spark")
    with _one_at_a_time():
        known = environment.read_state()
        chosen = {name: _port(name) for name in ADDRESSES}
        addresses = {ADDRESSES[name]: _address(name, port) for name, port in chosen.items()}
        behind = {
            name: {ADDRESSES[other]: addresses[ADDRESSES[other]] for other in others} for name, others in BEHIND.items()
        }
        for name, told in behind.items():
            if not told.items() <= known.items():
                _process(name).stop()  # it talks to servers that are no more
        home = environment.home()
        servers = [
            kafka.server(home, chosen["kafka"]),
            s3.server(home, chosen["s3"]),
            kinesis.server(home, chosen["kinesis"]),
            postgres.server(home, chosen["postgres"]),
            gateway.server(chosen["gateway"], behind["gateway"]),
            dashboard.server(chosen["dashboard"], behind["dashboard"]),
        ]
        for server in servers:
            _process(server.name).start(server)
        for server in servers:
            _process(server.name).wait_until_ready(server)
        _write_state(addresses)
        os.environ.update(environment.read_state())
        settings = environment.load()
        prepare(settings)
    return settings


def prepare(settings: Settings) -> None:
    """Create the topics, the bucket, the database and the streams that the settings name, where they are not there."""
    create_topics(settings.kafka, [settings.topic(record_type) for record_type in RECORD_TYPES])
    s3.create_bucket(settings.s3_endpoint_url, settings.bucket)
    streams = [settings.one_stream, *(settings.stream(record_type) for record_type in RECORD_TYPES)]
    postgres.create_database(settings.postgres_url)
    kinesis.create_streams(settings.kinesis_endpoint_url, settings.region, streams)


def down(keep: Collection[str] = ()) -> list[str]:
    """Stop every streaming job and server that lives, except these; the names of those that were stopped."""
    with _one_at_a_time():
        return [name for name in running() if name not in keep and _process(name).stop()]


def running() -> list[str]:
    """The streaming jobs and servers that live, in the order in which to stop them."""
    return [name for name in (*STREAMING_JOBS, *reversed(ADDRESSES)) if _process(name).alive()]


def status() -> list[ServerStatus]:
    """How every server is."""
    known = DEFAULTS | environment.read_state()
    return [
        ServerStatus(name, _process(name).alive(), known[variable], _process(name))
        for name, variable in ADDRESSES.items()
    ]


def _process(name: str) -> ServerProcess:
    return ServerProcess(environment.home(), name, STOP_SIGNALS.get(name, signal.SIGTERM))


def _port(name: str) -> int:
    last = _known_port(environment.read_state().get(ADDRESSES[name]))
    if last is not None and _process(name).alive():
        return last
    default = _known_port(DEFAULTS[ADDRESSES[name]])
    return ports.choose(f"PIN_{name.upper()}_PORT", [port for port in (last, default) if port is not None])


def _known_port(address: str | None) -> int | None:
    return None if address is None else urlsplit(address if "//" in address else f"//{address}").port


def _address(name: str, port: int) -> str:
    return FORMS.get(name, "http://{}:{}").format(ports.HOST, port)


def _write_state(addresses: dict[str, str]) -> None:
    new = environment.state_file().with_suffix(".new")
    new.write_text("".join(f"{variable}={address}\n" for variable, address in addresses.items()))
    new.replace(environment.state_file())


@contextmanager
def _one_at_a_time() -> Iterator[None]:
    environment.home().mkdir(parents=True, exist_ok=True)
    with (environment.home() / "servers.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
