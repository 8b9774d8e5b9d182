"""The OpenAPI description for API Gateway: its routes and mapping templates behave as the gateway does."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping
from typing import Any

import airspeed
import boto3
import httpx
import pytest
import yaml
from moto import mock_aws

from pin_pipeline.gateway.app import create_app
from pin_pipeline.settings import Settings
from pin_pipeline_tests.helpers.rows import geo
from pin_pipeline_tests.infra.policies import ACCOUNT, REGION, grants, rendered

INTEGRATION = "x-amazon-apigateway-integration"
KINESIS = f"arn:aws:apigateway:{REGION}:kinesis:action/"
VALUES = {
    "gateway_host": "gateway.internal:8082",
    "name": "pinterest",
    "region": REGION,
    "role": f"arn:aws:iam::{ACCOUNT}:role/pinterest-api-gateway",
    "vpc_link": "link",
}
API: dict[str, Any] = yaml.safe_load(rendered("openapi.yaml", VALUES))
OPERATIONS = {(method, path): body for path, methods in API["paths"].items() for method, body in methods.items()}
STREAM_ROUTES = {route: body for route, body in OPERATIONS.items() if body[INTEGRATION]["type"] == "aws"}
PROXIED_ROUTES = {route: body for route, body in OPERATIONS.items() if route not in STREAM_ROUTES}
GATEWAY: dict[str, Any] = create_app().openapi()


def gateway_operation(method: str, path: str) -> dict[str, Any]:
    """Return the operation of the gateway for a route; paths of API Gateway have no slash at the end."""
    paths = {path.rstrip("/"): methods for path, methods in GATEWAY["paths"].items()}
    operation: dict[str, Any] = paths[path][method]
    return operation


def parameters(operation: Mapping[str, Any]) -> set[tuple[str, str, bool]]:
    return {(each["name"], each["in"], each["required"]) for each in operation.get("parameters", [])}


def resolved(schema: dict[str, Any]) -> dict[str, Any]:
    return API["components"]["schemas"][schema["$ref"].rpartition("/")[2]] if "$ref" in schema else schema


def fields(schema: dict[str, Any]) -> Any:
    """Return the fields of a schema with their own fields, and the names of the required ones."""
    schema = resolved(schema)
    if schema.get("type") == "array":
        return [fields(schema["items"])]
    nested = {name: fields(field) for name, field in schema.get("properties", {}).items()}
    return nested, sorted(schema.get("required", []))


@pytest.mark.parametrize(("method", "path"), OPERATIONS)
def test_every_route_matches_the_gateway_in_parameters_and_fields(method: str, path: str) -> None:
    described, own = OPERATIONS[method, path], gateway_operation(method, path)
    assert parameters(described) == parameters(own)
    if "requestBody" in described:
        bodies = [each["requestBody"]["content"]["application/json"]["schema"] for each in (described, own)]
        assert fields(bodies[0]) == fields(bodies[1])


@pytest.mark.parametrize(("method", "path"), OPERATIONS)
def test_every_route_requires_sigv4(method: str, path: str) -> None:
    assert OPERATIONS[method, path]["security"] == [{"sigv4": []}]
    assert API["components"]["securitySchemes"]["sigv4"]["x-amazon-apigateway-authtype"] == "awsSigv4"


@pytest.mark.parametrize(("method", "path"), PROXIED_ROUTES)
def test_proxied_routes_forward_to_the_same_route_of_the_gateway(method: str, path: str) -> None:
    integration = PROXIED_ROUTES[method, path][INTEGRATION]
    route = integration["uri"].removeprefix(f"http://{VALUES['gateway_host']}")
    assert method in GATEWAY["paths"][route]
    assert (integration["httpMethod"].lower(), route.rstrip("/")) == (method, path)
    path_parameters = {
        f"integration.request.path.{name}"
        for name, place, _ in parameters(gateway_operation(method, path))
        if place == "path"
    }
    assert set(integration.get("requestParameters", {})) == path_parameters


@mock_aws
def test_api_gateway_imports_the_description_with_every_route() -> None:
    api = boto3.client("apigateway", region_name=REGION)
    imported = api.import_rest_api(body=json.dumps(API).encode())
    resources = api.get_resources(restApiId=imported["id"], embed=["methods"], limit=500)["items"]
    routes = {(method.lower(), each["path"]) for each in resources for method in each.get("resourceMethods", {})}
    assert routes == set(OPERATIONS)


def test_stream_routes_call_exactly_the_actions_of_the_role() -> None:
    actions = {body[INTEGRATION]["uri"].removeprefix(KINESIS) for body in STREAM_ROUTES.values()}
    assert not actions & {"CreateStream", "DeleteStream", "ListStreams"}
    assert {f"kinesis:{action}" for action in actions} == {grant.action for grant in grants("api_gateway")}
    assert {body[INTEGRATION]["credentials"] for body in STREAM_ROUTES.values()} == {VALUES["role"]}


class Input:
    """`$input` of a mapping template. https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-mapping-template-reference.html"""

    def __init__(self, parameters: Mapping[str, str], body: Any) -> None:
        self._parameters, self._body = parameters, body

    def params(self, name: str) -> str:
        return self._parameters[name]

    def path(self, path: str) -> Any:
        return self._body[path.removeprefix("$.")]

    def json(self, path: str) -> str:
        return json.dumps(self.path(path))


class Util:
    """`$util` of a mapping template."""

    def base64Encode(self, text: str) -> str:  # noqa: N802 - name in API Gateway
        return base64.b64encode(text.encode()).decode()

    def escapeJavaScript(self, text: str) -> str:  # noqa: N802 - name in API Gateway
        return json.dumps(text)[1:-1].replace("'", "\\'")


def call_integration(
    settings: Settings, method: str, path: str, parameters: Mapping[str, str], body: Any = None
) -> Any:
    """Render the mapping template of a route for a request, and send the result to Kinesis, as API Gateway does."""
    integration = STREAM_ROUTES[method, path][INTEGRATION]
    template = airspeed.Template(integration["requestTemplates"]["application/json"])
    request = template.merge({"input": Input(parameters, body), "util": Util()})
    action = integration["uri"].removeprefix(KINESIS)
    content_type = integration["requestParameters"]["integration.request.header.Content-Type"].strip("'")
    headers = {"X-Amz-Target": f"Kinesis_20131202.{action}", "Content-Type": content_type}
    response = httpx.post(settings.kinesis_endpoint_url or "", content=request.encode(), headers=headers)
    assert response.status_code == 200, (request, response.text)
    return response.json()


@pytest.fixture
def stream(streams: dict[str, str]) -> str:
    return streams["geo"]


@pytest.fixture
def gateway(settings: Settings) -> httpx.Client:
    return httpx.Client(base_url=settings.gateway_url, timeout=30)


def stored_records(settings: Settings, stream: str) -> list[tuple[str, Any]]:
    """Return the partition key and the data of each record, in order."""
    client = boto3.client("kinesis", endpoint_url=settings.kinesis_endpoint_url, region_name=settings.region)
    records: list[Any] = []
    for shard in client.list_shards(StreamName=stream)["Shards"]:
        position = {"StreamName": stream, "ShardId": shard["ShardId"], "ShardIteratorType": "TRIM_HORIZON"}
        records += client.get_records(ShardIterator=client.get_shard_iterator(**position)["ShardIterator"])["Records"]
    records.sort(key=lambda record: int(record["SequenceNumber"]))
    return [(record["PartitionKey"], record["Data"].decode()) for record in records]


def test_put_record_template_stores_what_the_gateway_stores(
    settings: Settings, gateway: httpx.Client, stream: str
) -> None:
    row = geo(7) | {"country": "Côte d'Ivoire", "note": '"quoted" \\ and\nbroken'}
    body = {"StreamName": "another", "Data": row, "PartitionKey": "partition-1"}
    assert gateway.put(f"/streams/{stream}/record", json=body).status_code == 200
    call_integration(settings, "put", "/streams/{stream}/record", {"stream": stream}, body)
    by_gateway, by_template = stored_records(settings, stream)
    assert [(key, json.loads(data)) for key, data in (by_template, by_gateway)] == [("partition-1", row)] * 2


def test_put_records_template_stores_what_the_gateway_stores(
    settings: Settings, gateway: httpx.Client, stream: str
) -> None:
    texts = [json.dumps(geo(1)), "some data", "ü\n\u2028"]
    body = {"records": [{"data": text, "partition-key": "one"} for text in texts]}
    assert gateway.put(f"/streams/{stream}/records", json=body).json()["FailedRecordCount"] == 0
    response = call_integration(settings, "put", "/streams/{stream}/records", {"stream": stream}, body)
    assert response["FailedRecordCount"] == 0
    assert stored_records(settings, stream) == [("one", text) for text in texts] * 2


def test_describe_and_read_templates_return_what_the_gateway_returns(
    settings: Settings, gateway: httpx.Client, stream: str
) -> None:
    path = f"/streams/{stream}"
    shard = gateway.put(f"{path}/record", json={"Data": 1, "PartitionKey": "a"}).json()["ShardId"]
    described = call_integration(settings, "get", "/streams/{stream}", {"stream": stream})
    assert described == gateway.get(path).json()
    parameters = {"stream": stream, "shard-id": shard}
    iterator = call_integration(settings, "get", "/streams/{stream}/sharditerator", parameters)["ShardIterator"]
    read = call_integration(
        settings, "get", "/streams/{stream}/records", {"stream": stream, "Shard-Iterator": iterator}
    )
    own = gateway.get(f"{path}/records", headers={"Shard-Iterator": iterator}).json()
    assert [record["Data"] for record in read["Records"]] == ["MQ=="]
    assert read["Records"] == own["Records"]


@pytest.mark.parametrize("key", ['a", "StreamName": "another', "back\\slash", ""])
def test_partition_key_that_would_break_the_template_is_refused_by_the_validator(key: str) -> None:
    assert not re.match(API["components"]["schemas"]["PartitionKey"]["pattern"], key)
    assert API["x-amazon-apigateway-request-validator"] == "all"
