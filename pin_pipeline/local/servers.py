"""The local servers of a home: start, stop and status. Stopping them also stops the streaming jobs, which need them."""

from __future__ import annotations

import fcntl
import logging
import signal
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit

from pin_pipeline.kafka.topics import create_topics
from pin_pipeline.local import dashboard, gateway, jars, kafka, kinesis, ports, postgres, postgres_setup, s3
from pin_pipeline.local.open_files import allow_many_open_files
from pin_pipeline.local.server import PortTakenError, ServerProcess
from pin_pipeline.records import RECORD_TYPES
from pin_pipeline.settings import LOCAL_ADDRESSES, LocalSettings, Settings
from pin_pipeline.streaming.jobs import STREAMING_JOBS

ADDRESSES = {
    "kafka": "PIN_KAFKA_BOOTSTRAP",
    "s3": "PIN_S3_ENDPOINT_URL",
    "kinesis": "PIN_KINESIS_ENDPOINT_URL",
    "postgres": "PIN_POSTGRES_URL",
    "gateway": "PIN_GATEWAY_URL",
    "dashboard": "PIN_DASHBOARD_URL",
}
"""Variable with the address of each server. Servers are started in this order and stopped in reverse order."""
UI, UI_ADDRESS = "dagster", "PIN_UI_URL"
"""Name of the process of the Dagster UI, which `pin-pipeline dev` starts, and of its address in the state file."""
UPSTREAMS = {
    "gateway": ("kafka", "kinesis"),
    "dashboard": ("s3", "postgres"),
    **dict.fromkeys(STREAMING_JOBS, ("kafka", "s3", "kinesis", "postgres")),
}
"""Servers whose addresses a server or streaming job reads when it starts."""
HOME_MODE = 0o700
"""Mode of a home: its files hold the posts, and whatever a client sends to a server."""
START_ATTEMPTS = 5
"""Attempts to find free ports: another home may start its servers at the same moment."""
STOP_SIGNALS = {"postgres": postgres.STOP_SIGNAL}

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ServerStatus:
    """The status of a server."""

    name: str
    alive: bool
    address: str
    process: ServerProcess


def up() -> Settings:
    """Start the servers that are not running, wait until all are ready, and create what they store data in.

    Raises:
        LocalError: a prerequisite is missing, or a server did not start.
    """
    allow_many_open_files()
    jars.ensure("spark")
    with _exclusive():
        for attempt in range(1, START_ATTEMPTS + 1):
            try:
                addresses = _start()
                break
            except PortTakenError as error:
                if attempt == START_ATTEMPTS:
                    raise
                log.info("%s: trying another port", error)
        settings = Settings.load().updated(addresses)
        prepare(settings)
    return settings


def _start() -> dict[str, str]:
    """Start the servers that are not running, wait until all are ready, and return their addresses by variable.

    Raises:
        PortTakenError: another program has taken a port since it was chosen.
    """
    recorded = LocalSettings.load().addresses()
    home = LocalSettings.load().home
    if not postgres_setup.is_set_up(home):
        _process("postgres").stop()  # a server of an earlier release requires no password
    chosen = {name: _port(name) for name in ADDRESSES}
    addresses = {ADDRESSES[name]: _address(name, port) for name, port in chosen.items()}
    upstreams = {
        name: {ADDRESSES[upstream]: addresses[ADDRESSES[upstream]] for upstream in names}
        for name, names in UPSTREAMS.items()
    }
    for name, used in upstreams.items():
        if not used.items() <= recorded.items():
            _process(name).stop()  # it still uses the previous addresses
    _write_state(addresses)
    if not _process("postgres").is_alive():
        postgres_setup.set_up(home)
    servers = [
        kafka.server(home, chosen["kafka"]),
        s3.server(home, chosen["s3"]),
        kinesis.server(home, chosen["kinesis"]),
        postgres.server(home, chosen["postgres"]),
        gateway.server(chosen["gateway"], upstreams["gateway"]),
        dashboard.server(chosen["dashboard"], upstreams["dashboard"]),
    ]
    for server in servers:
        _process(server.name).start(server)
    for server in servers:
        _process(server.name).wait_until_ready(server)
    return addresses


def prepare(settings: Settings) -> None:
    """Create the topics, the bucket, the database and the streams that the settings name, if missing."""
    create_topics(settings.kafka, [settings.topic(record_type) for record_type in RECORD_TYPES])
    s3.create_bucket(settings.s3_endpoint_url, settings.bucket)
    streams = [settings.one_stream, *(settings.stream(record_type) for record_type in RECORD_TYPES)]
    postgres.create_database(settings.postgres_url)
    kinesis.create_streams(settings.kinesis_endpoint_url, settings.region, streams)


def down(keep: Collection[str] = ()) -> list[str]:
    """Stop what is running, except what to keep, and return the names of what was stopped."""
    with _exclusive():
        return [name for name in running() if name not in keep and _process(name).stop()]


def running() -> list[str]:
    """Return the names of what is running, in the order in which to stop it: Dagster, streaming jobs, servers."""
    return [name for name in (UI, *STREAMING_JOBS, *reversed(ADDRESSES)) if _process(name).is_alive()]


def status() -> list[ServerStatus]:
    """Return the status of every server, and of the Dagster UI if it is running."""
    addresses = LOCAL_ADDRESSES | LocalSettings.load().addresses()
    shown = ADDRESSES | ({UI: UI_ADDRESS} if _process(UI).is_alive() else {})
    return [
        ServerStatus(name, _process(name).is_alive(), addresses[variable], _process(name))
        for name, variable in shown.items()
    ]


def record_ui(address: str) -> None:
    """Record the address of the Dagster UI, for `status`."""
    _write_state({UI_ADDRESS: address})


def _process(name: str) -> ServerProcess:
    return ServerProcess(LocalSettings.load().home, name, STOP_SIGNALS.get(name, signal.SIGTERM))


def _port(name: str) -> int:
    last = _port_of(LocalSettings.load().addresses().get(ADDRESSES[name]))
    if last is not None and _process(name).is_alive():
        return last
    default = _port_of(LOCAL_ADDRESSES[ADDRESSES[name]])
    requested = getattr(LocalSettings.load(), f"{name}_port")
    return ports.choose(name, requested, [port for port in (last, default) if port is not None])


def _port_of(address: str | None) -> int | None:
    return None if address is None else urlsplit(address if "//" in address else f"//{address}").port


def _address(name: str, port: int) -> str:
    if name == "postgres":
        return postgres.url(LocalSettings.load().home, port)
    return f"{ports.HOST}:{port}" if name == "kafka" else f"http://{ports.HOST}:{port}"


def _write_state(addresses: dict[str, str]) -> None:
    recorded = LocalSettings.load().addresses() | addresses
    new = LocalSettings.load().state_file.with_suffix(".new")
    new.write_text("".join(f"{variable}={address}\n" for variable, address in recorded.items()))
    new.replace(LocalSettings.load().state_file)


@contextmanager
def _exclusive() -> Iterator[None]:
    """Hold the lock that keeps two commands from starting or stopping servers at the same time."""
    home = LocalSettings.load().home
    home.mkdir(parents=True, exist_ok=True)
    home.chmod(HOME_MODE)  # also that of an earlier release
    with (home / "servers.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
