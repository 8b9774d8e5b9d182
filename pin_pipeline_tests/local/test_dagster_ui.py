"""Dagster UI as `pin-pipeline dev` serves it: requests of web pages, and the end of one of its processes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import psutil
import pytest
from selenium import webdriver

from pin_pipeline.local import dagster_ui, ports
from pin_pipeline.local.server import ServerProcess
from pin_pipeline.settings import Settings
from pin_pipeline_tests.helpers.browser import driver
from pin_pipeline_tests.helpers.other_user import as_other_user, needs_root
from pin_pipeline_tests.helpers.stopped_streams import stop_streams
from pin_pipeline_tests.helpers.waiting import wait_until
from pin_pipeline_tests.local.test_guard import ADVERSARIAL, METHODS, REFUSED, foreign_page, responses_to

__all__ = ["driver", "foreign_page"]  # fixtures of this module

QUERY = "{ repositoriesOrError { __typename ... on RepositoryConnection { nodes { name location { name } } } } }"
MUTATION = (
    'mutation { logTelemetry(action: "LAUNCH_RUN", metadata: "{}", clientTime: "0", clientId: "0") { __typename } }'
)
LAUNCH = """
    mutation($job: String!, $location: String!, $repository: String!, $config: RunConfigData!) {
        launchRun(executionParams: {
            selector: {
                jobName: $job, repositoryLocationName: $location, repositoryName: $repository, assetSelection: []
            },
            runConfigData: $config
        }) { __typename ... on RunConfigValidationInvalid { errors { message } } }
    }
"""
JOBS = """
    { repositoriesOrError { ... on RepositoryConnection { nodes { name location { name } jobs { name } } } } }
"""
RESOURCES = """
    query($location: String!, $repository: String!) {
        allTopLevelResourceDetailsOrError(
            repositorySelector: {repositoryLocationName: $location, repositoryName: $repository}
        ) { ... on ResourceDetailsList { results { name configuredValues { key value type } } } }
    }
"""
LOADED_SECONDS = 60


@pytest.fixture(scope="module")
def ui(
    local_environment: Settings, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[httpx.Client, ServerProcess]]:
    """Serve the UI of a new home, whose streaming jobs a user has stopped."""
    settings = local_environment.model_copy(update={"home": tmp_path_factory.mktemp("ui")})
    stop_streams(settings.home)
    server = dagster_ui.server(settings, ports.free_port())
    process = ServerProcess(settings.home, "dagster")
    process.start(server)
    try:
        process.wait_until_ready(server)
        with httpx.Client(base_url=server.address, timeout=60) as client:
            wait_until(lambda: locations(client) == ["pin_pipeline"], LOADED_SECONDS)
            yield client, process
    finally:
        process.stop()


def locations(client: httpx.Client) -> list[str]:
    """Return the names of the code locations."""
    reply: Any = client.post("/graphql", json={"query": QUERY}).json()
    return [node["location"]["name"] for node in reply["data"]["repositoriesOrError"].get("nodes", ())]


@pytest.mark.parametrize("request_of", ADVERSARIAL)
def test_ui_refuses_requests_of_foreign_pages(ui: tuple[httpx.Client, ServerProcess], request_of: str) -> None:
    client, _ = ui
    headers = {name: value.format(port=client.base_url.port) for name, value in ADVERSARIAL[request_of].items()}
    for method in METHODS:
        assert client.request(method, "/graphql", json={"query": QUERY}, headers=headers).status_code == 403, method


@needs_root
def test_ui_refuses_every_request_of_another_user_of_the_machine(ui: tuple[httpx.Client, ServerProcess]) -> None:
    client, _ = ui
    assert as_other_user(responses_to, client.base_url.host, client.base_url.port, "bucket") == {REFUSED}


def test_ui_refuses_mutations_that_a_page_can_send_without_preflight(ui: tuple[httpx.Client, ServerProcess]) -> None:
    client, _ = ui
    assert client.get("/graphql", params={"query": MUTATION}).status_code == 405
    for media_type in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", ""):
        response = client.post("/graphql", content=MUTATION, headers={"Content-Type": media_type})
        assert response.status_code == 415, media_type
        assert response.text == "refused: send GraphQL requests as application/json\n"
    assert client.post("/graphql", json={"query": MUTATION}).status_code == 200


def graphql(client: httpx.Client, query: str, **variables: Any) -> Any:
    reply = client.post("/graphql", json={"query": query, "variables": variables}).json()
    assert "errors" not in reply, reply
    return reply["data"]


def test_ui_launches_no_run_whose_configuration_changes_a_resource(ui: tuple[httpx.Client, ServerProcess]) -> None:
    client, _ = ui
    [repository] = graphql(client, JOBS)["repositoriesOrError"]["nodes"]
    place = {"location": repository["location"]["name"], "repository": repository["name"]}
    config = {"resources": {"kafka": {"config": {"bootstrap_servers": "elsewhere.example:9092"}}}}
    names = [job["name"] for job in repository["jobs"]]
    assert {"daily_batch", "emulation", "__ASSET_JOB"} <= {*names}
    for name in names:
        result = graphql(client, LAUNCH, job=name, config=config, **place)["launchRun"]
        assert result["__typename"] == "RunConfigValidationInvalid", result
        assert 'unexpected config entry "config" at path root:resources:kafka' in result["errors"][0]["message"]
    runs = graphql(client, "{ runsOrError { ... on Runs { results { jobName } } } }")["runsOrError"]["results"]
    assert runs == [{"jobName": "stop_streams"}]


def test_ui_shows_the_values_of_resources_but_not_those_of_variables_that_may_be_secret(
    ui: tuple[httpx.Client, ServerProcess],
) -> None:
    client, _ = ui
    [repository] = graphql(client, JOBS)["repositoriesOrError"]["nodes"]
    place = {"location": repository["location"]["name"], "repository": repository["name"]}
    details = graphql(client, RESOURCES, **place)["allTopLevelResourceDetailsOrError"]["results"]
    shown = {
        (resource["name"], value["key"]): (value["type"], value["value"])
        for resource in details
        for value in resource["configuredValues"]
    }
    assert shown["kafka", "prefix"] == ("VALUE", '"pinterest"')
    assert shown["postgres", "url"] == ("ENV_VAR", "PIN_POSTGRES_URL")


def test_page_of_another_origin_cannot_use_the_ui_in_a_browser(
    ui: tuple[httpx.Client, ServerProcess], driver: webdriver.Chrome, foreign_page: httpx.URL
) -> None:
    client, _ = ui
    driver.get(str(foreign_page))
    script = """
        const [address, query, done] = arguments;
        const socket = new WebSocket(`${address.replace("http", "ws")}/graphql`, "graphql-ws");
        socket.onopen = () => done("open");
        const read = () => fetch(`${address}/graphql?query=${query}`).then(response => response.text());
        socket.onerror = () => read().catch(() => null).then(done);
    """
    assert driver.execute_async_script(script, str(client.base_url).rstrip("/"), QUERY) is None


def test_ui_works_in_a_browser(ui: tuple[httpx.Client, ServerProcess], driver: webdriver.Chrome) -> None:
    client, _ = ui
    driver.get(f"{client.base_url}/jobs")
    wait_until(lambda: "daily_batch" in driver.page_source, LOADED_SECONDS)


def test_ui_ends_with_a_sentence_if_its_code_server_ends(ui: tuple[httpx.Client, ServerProcess]) -> None:
    _, process = ui
    [code_server] = [
        child for child in psutil.Process(process.pid).children() if "code-server" in " ".join(child.cmdline())
    ]
    code_server.kill()
    wait_until(lambda: not process.is_alive(), 2 * LOADED_SECONDS)
    assert "Dagster's code server ended: see its messages above" in process.tail()
