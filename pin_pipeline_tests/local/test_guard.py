"""Requests to the local HTTP servers by other users, and by web pages: sent as a browser would, and by a real one."""

from __future__ import annotations

import http.client
import itertools
import socket
from collections.abc import Iterator, Mapping

import httpx
import pytest
from selenium import webdriver
from starlette.applications import Starlette
from starlette.responses import HTMLResponse, PlainTextResponse
from starlette.routing import Route

from pin_pipeline.local.guard import LoopbackGuard
from pin_pipeline.local.peers import is_own_client
from pin_pipeline.settings import Settings
from pin_pipeline.storage.object_store import ObjectStore
from pin_pipeline_tests.gateway.conftest import serving
from pin_pipeline_tests.helpers.browser import driver
from pin_pipeline_tests.helpers.other_user import as_other_user, needs_root

__all__ = ["driver"]  # a fixture of this module

SERVERS = ("s3", "kinesis", "gateway", "dashboard")
FOREIGN = "https://pins.example.org"
ADVERSARIAL: dict[str, Mapping[str, str]] = {
    "name that resolves to this machine": {"Host": "pins.example.org:{port}"},
    "name that ends like an own one": {"Host": "127.0.0.1.example.org:{port}"},
    "another port": {"Host": "127.0.0.1:1"},
    "no port": {"Host": "127.0.0.1"},
    "user information": {"Host": "127.0.0.1:{port}@example.org"},
    "another machine": {"Host": "192.0.2.1:{port}"},
    "page of another site": {"Origin": FOREIGN, "Sec-Fetch-Site": "cross-site"},
    "page of an older browser": {"Origin": FOREIGN},
    "page from a file, or a sandboxed one": {"Origin": "null"},
    "page of another server of this machine": {"Origin": "http://127.0.0.1:1", "Sec-Fetch-Site": "same-site"},
    "page with another scheme": {"Origin": "https://127.0.0.1:{port}"},
    "image in a page": {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "image"},
    "frame in a page": {"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "iframe"},
    "link on another site": {
        "Sec-Fetch-Site": "cross-site",
        "Sec-Fetch-Mode": "navigate",
        "Sec-Fetch-Dest": "document",
    },
}
METHODS = ("GET", "POST", "PUT", "DELETE", "OPTIONS")


def address(settings: Settings, server: str) -> httpx.URL:
    """Return the address of a server."""
    addresses = {
        "s3": settings.s3_endpoint_url,
        "kinesis": settings.kinesis_endpoint_url,
        "gateway": settings.gateway_url,
        "dashboard": settings.dashboard_url,
    }
    return httpx.URL(addresses[server] or "")


@pytest.mark.parametrize(("server", "request_of"), [*itertools.product(SERVERS, ADVERSARIAL)])
def test_guard_refuses_requests_of_foreign_pages(local_environment: Settings, server: str, request_of: str) -> None:
    url = address(local_environment, server)
    headers = {name: value.format(port=url.port) for name, value in ADVERSARIAL[request_of].items()}
    for method in METHODS:
        response = httpx.request(method, url, headers=headers)
        assert response.status_code == 403, method
        assert response.text.startswith("refused: "), method
        assert not [name for name in response.headers if name.startswith("access-control-")]


@pytest.mark.parametrize("server", SERVERS)
@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Host": "localhost:{port}"},
        {"Host": "LOCALHOST:{port}"},
        {"Origin": "http://127.0.0.1:{port}", "Sec-Fetch-Site": "same-origin"},
        {"Sec-Fetch-Site": "none", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"},
        {"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"},
    ],
)
def test_guard_passes_requests_of_clients_and_own_pages(
    local_environment: Settings, server: str, headers: dict[str, str]
) -> None:
    url = address(local_environment, server)
    response = httpx.get(url, headers={name: value.format(port=url.port) for name, value in headers.items()})
    assert response.status_code != 403
    assert not [name for name in response.headers if name.startswith("access-control-")]


@pytest.mark.parametrize(
    "path", ["/_ministack/reset", "/_ministack/config", "/_localstack/health", "/%5Fministack/reset"]
)
def test_admin_paths_of_the_s3_endpoint_do_not_exist(settings: Settings, path: str) -> None:
    store = ObjectStore.of(settings)
    store.client.put_object(Bucket=settings.bucket, Key="kept", Body=b"")
    for method in METHODS:
        assert httpx.request(method, f"{settings.s3_endpoint_url}{path}").status_code == 404
    assert store.client.head_object(Bucket=settings.bucket, Key="kept")


def test_guard_lets_pages_of_listed_origins_use_a_server() -> None:
    async def reply(_: object) -> PlainTextResponse:
        return PlainTextResponse("reply", headers={"Access-Control-Allow-Origin": FOREIGN})

    app = LoopbackGuard(Starlette(routes=[Route("/", reply, methods=["POST"])]), [FOREIGN])
    with serving(app) as client:
        listed = client.post("/", headers={"Origin": FOREIGN, "Sec-Fetch-Site": "cross-site"})
        assert (listed.status_code, listed.headers["access-control-allow-origin"]) == (200, FOREIGN)
        assert client.post("/", headers={"Origin": "https://other.example.org"}).status_code == 403
        assert "access-control-allow-origin" not in client.post("/").headers


@pytest.fixture
def foreign_page() -> Iterator[httpx.URL]:
    """A page of another origin, which a browser can load."""
    with serving(Starlette(routes=[Route("/", lambda _: HTMLResponse("<title>foreign</title>"))])) as client:
        yield client.base_url


def test_page_of_another_origin_in_a_browser_reaches_no_server(
    settings: Settings, driver: webdriver.Chrome, foreign_page: httpx.URL
) -> None:
    store = ObjectStore.of(settings)
    store.client.put_object(Bucket=settings.bucket, Key="kept", Body=b"")
    driver.get(str(foreign_page))
    script = """
        const [url, method, body, done] = arguments;
        const headers = {"Content-Type": "text/plain"};
        fetch(url, {method, body, headers, mode: "no-cors"}).catch(() => null).then(() =>
            fetch(url).then(response => response.text()).catch(() => null)).then(done);
    """
    attacks = [
        (f"{settings.gateway_url}/pin/", "POST", '{"index": 1}'),
        (f"{settings.s3_endpoint_url}/_ministack/reset", "POST", ""),
        (f"{settings.s3_endpoint_url}/{settings.bucket}", "POST", "<Delete/>"),
        (f"{settings.kinesis_endpoint_url}/", "POST", "{}"),
        (f"{settings.dashboard_url}/data", "POST", ""),
    ]
    for url, method, body in attacks:
        assert driver.execute_async_script(script, url, method, body) is None, url
    assert store.client.head_object(Bucket=settings.bucket, Key="kept")


ADVERSARIAL_PATHS = ("/", "/health", "/pin/", "/topics", "/graphql", "/{bucket}", "/{bucket}/kept")
SPOOFED: tuple[dict[str, str], ...] = ({}, {"X-Forwarded-For": "127.0.0.1", "Forwarded": "for=127.0.0.1"})
REFUSED = (403, "refused: only processes of the user who started this server may use it\n")


def responses_to(host: str, port: int, bucket: str) -> set[tuple[int, str]]:
    """Send adversarial requests, and return the statuses and texts of the responses."""
    responses = set()
    for method, path, headers in itertools.product(("GET", "POST", "PUT", "DELETE"), ADVERSARIAL_PATHS, SPOOFED):
        connection = http.client.HTTPConnection(host, port, timeout=10)
        connection.request(method, path.format(bucket=bucket), b"{}", headers)
        response = connection.getresponse()
        responses.add((response.status, response.read().decode()))
    return responses


@needs_root
@pytest.mark.parametrize("server", SERVERS)
def test_guard_refuses_every_request_of_another_user_of_the_machine(settings: Settings, server: str) -> None:
    store = ObjectStore.of(settings)
    store.client.put_object(Bucket=settings.bucket, Key="kept", Body=b"")
    url = address(settings, server)
    assert as_other_user(responses_to, url.host, url.port, settings.bucket) == {REFUSED}
    assert store.client.head_object(Bucket=settings.bucket, Key="kept")


def test_client_is_own_only_while_its_socket_is_open() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        client = socket.create_connection(listener.getsockname())
        connection, peer = listener.accept()
        with connection:
            assert is_own_client(peer, listener.getsockname())
            client.close()
            assert not is_own_client(peer, listener.getsockname())


def test_client_with_an_ipv6_socket_is_recognized() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener, socket.socket(socket.AF_INET6) as client:
        client.connect(("::ffff:127.0.0.1", listener.getsockname()[1]))
        connection, peer = listener.accept()
        with connection:
            assert is_own_client(peer, listener.getsockname())
