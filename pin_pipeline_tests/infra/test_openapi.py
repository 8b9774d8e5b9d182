"""API Gateway, as it is described for AWS, does what the gateway does here."""

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
from pin_pipeline_tests.infra.policies import ACCOUNT, REGION, filled, grants

INTEGRATION = "x-amazon-apigateway-integration"
KINESIS = f"arn:aws:apigateway:{REGION}:kinesis:action/"
VALUES = {
    "gateway_host": "gateway.internal:8082",
    "name": "pinterest",
    "region": REGION,
    "role": f"arn:aws:iam::{ACCOUNT}:role/pinterest-api-gateway",
    "vpc_link": "link",
}
API: dict[str, Any] = yaml.safe_load(filled("openapi.yaml", VALUES))
OPERATIONS = {(method, path): body for path, methods in API["paths"].items() for method, body in methods.items()}
OF_STREAMS = {route: body for route, body in OPERATIONS.items() if body[INTEGRATION]["type"] == "aws"}
PROXIED = {route: body for route, body in OPERATIONS.items() if route not in OF_STREAMS}
GATEWAY: dict[str, Any] = create_app().openapi()


def ours(method: str, path: str) -> dict[str, Any]:
    """What the gateway says of a route; API Gateway knows no slash at a path's end."""
    paths = {path.rstrip("/"): methods for path, methods in GATEWAY["paths"].items()}
    found: dict[str, Any] = paths[path][method]
    return found


def parameters(operation: Mapping[str, Any]) -> set[tuple[str, str, bool]]:
    return {(each["name"], each["in"], each["required"]) for each in operation.get("parameters", [])}


def resolved(schema: dict[str, Any]) -> dict[str, Any]:
    return API["components"]["schemas"][schema["$ref"].rpartition("/")[2]] if "$ref" in schema else schema


def fields(schema: dict[str, Any]) -> Any:
    """The fields of a schema, which of them are required, and the same of what is in them."""
    schema = resolved(schema)
    if schema.get("type") == "array":
        return [fields(schema["items"])]
    of_each = {name: fields(of_one) for name, of_one in schema.get("properties", {}).items()}
    return of_each, sorted(schema.get("required", []))


@pytest.mark.parametrize(("method", "path"), OPERATIONS)
def test_every_route_is_one_of_the_gateway_with_its_parameters_and_fields(method: str, path: str) -> None:
    theirs, own = OPERATIONS[method, path], ours(method, path)
    assert parameters(theirs) == parameters(own)
    if "requestBody" in theirs:
        bodies = [each["requestBody"]["content"]["application/json"]["schema"] for each in (theirs, own)]
        assert fields(bodies[0]) == fields(bodies[1])


@pytest.mark.parametrize(("method", "path"), OPERATIONS)
def test_every_caller_has_to_sign(method: str, path: str) -> None:
    assert OPERATIONS[method, path]["security"] == [{"sigv4": []}]
    assert API["components"]["securitySchemes"]["sigv4"]["x-amazon-apigateway-authtype"] == "awsSigv4"


@pytest.mark.parametrize(("method", "path"), PROXIED)
def test_what_is_proxied_reaches_the_very_route_of_the_gateway(method: str, path: str) -> None:
    integration = PROXIED[method, path][INTEGRATION]
    route = integration["uri"].removeprefix(f"http://{VALUES['gateway_host']}")
    assert method in GATEWAY["paths"][route]
    assert (integration["httpMethod"].lower(), route.rstrip("/")) == (method, path)
    named = {f"integration.request.path.{name}" for name, place, _ in parameters(ours(method, path)) if place == "path"}
    assert set(integration.get("requestParameters", {})) == named


@mock_aws
def test_api_gateway_takes_the_description_and_has_every_route() -> None:
    api = boto3.client("apigateway", region_name=REGION)
    made = api.import_rest_api(body=json.dumps(API).encode())
    found = api.get_resources(restApiId=made["id"], embed=["methods"], limit=500)["items"]
    routes = {(method.lower(), each["path"]) for each in found for method in each.get("resourceMethods", {})}
    assert routes == set(OPERATIONS)


def test_streams_are_neither_created_nor_deleted_nor_listed_and_the_role_may_do_what_is_left() -> None:
    actions = {body[INTEGRATION]["uri"].removeprefix(KINESIS) for body in OF_STREAMS.values()}
    assert not actions & {"CreateStream", "DeleteStream", "ListStreams"}
    assert {f"kinesis:{action}" for action in actions} == {grant.action for grant in grants("api_gateway")}
    assert {body[INTEGRATION]["credentials"] for body in OF_STREAMS.values()} == {VALUES["role"]}


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

    def base64Encode(self, text: str) -> str:  # noqa: N802 - API Gateway names it so
        return base64.b64encode(text.encode()).decode()

    def escapeJavaScript(self, text: str) -> str:  # noqa: N802 - likewise
        return json.dumps(text)[1:-1].replace("'", "\\'")


def integrated(settings: Settings, method: str, path: str, given: Mapping[str, str], body: Any = None) -> Any:
    """Do with a request what API Gateway does: make another one of it by the mapping template, and send that."""
    integration = OF_STREAMS[method, path][INTEGRATION]
    template = airspeed.Template(integration["requestTemplates"]["application/json"])
    rendered = template.merge({"input": Input(given, body), "util": Util()})
    action = integration["uri"].removeprefix(KINESIS)
    content_type = integration["requestParameters"]["integration.request.header.Content-Type"].strip("'")
    headers = {"X-Amz-Target": f"Kinesis_20131202.{action}", "Content-Type": content_type}
    reply = httpx.post(settings.kinesis_endpoint_url or "", content=rendered.encode(), headers=headers)
    assert reply.status_code == 200, (rendered, reply.text)
    return reply.json()


@pytest.fixture
def stream(streams: dict[str, str]) -> str:
    return streams["geo"]


@pytest.fixture
def gateway(settings: Settings) -> httpx.Client:
    return httpx.Client(base_url=settings.gateway_url, timeout=30)


def put_so_far(settings: Settings, stream: str) -> list[tuple[str, Any]]:
    """Partition key and data of each record, in order."""
    client = boto3.client("kinesis", endpoint_url=settings.kinesis_endpoint_url, region_name=settings.region)
    found: list[Any] = []
    for shard in client.list_shards(StreamName=stream)["Shards"]:
        where = {"StreamName": stream, "ShardId": shard["ShardId"], "ShardIteratorType": "TRIM_HORIZON"}
        found += client.get_records(ShardIterator=client.get_shard_iterator(**where)["ShardIterator"])["Records"]
    found.sort(key=lambda record: int(record["SequenceNumber"]))
    return [(record["PartitionKey"], record["Data"].decode()) for record in found]


def test_one_record_is_put_as_by_the_gateway(settings: Settings, gateway: httpx.Client, stream: str) -> None:
    row = geo(7) | {"country": "Côte d'Ivoire", "note": '"quoted" \\ and\nbroken'}
    body = {"StreamName": "another", "Data": row, "PartitionKey": "partition-1"}
    assert gateway.put(f"/streams/{stream}/record", json=body).status_code == 200
    integrated(settings, "put", "/streams/{stream}/record", {"stream": stream}, body)
    by_gateway, by_template = put_so_far(settings, stream)
    assert [(key, json.loads(data)) for key, data in (by_template, by_gateway)] == [("partition-1", row)] * 2


def test_many_records_are_put_as_by_the_gateway(settings: Settings, gateway: httpx.Client, stream: str) -> None:
    texts = [json.dumps(geo(1)), "some data", "ü\n\u2028"]
    body = {"records": [{"data": text, "partition-key": "one"} for text in texts]}
    assert gateway.put(f"/streams/{stream}/records", json=body).json()["FailedRecordCount"] == 0
    answer = integrated(settings, "put", "/streams/{stream}/records", {"stream": stream}, body)
    assert answer["FailedRecordCount"] == 0
    assert put_so_far(settings, stream) == [("one", text) for text in texts] * 2


def test_a_stream_is_described_and_read_as_by_the_gateway(
    settings: Settings, gateway: httpx.Client, stream: str
) -> None:
    path = f"/streams/{stream}"
    shard = gateway.put(f"{path}/record", json={"Data": 1, "PartitionKey": "a"}).json()["ShardId"]
    described = integrated(settings, "get", "/streams/{stream}", {"stream": stream})
    assert described == gateway.get(path).json()
    given = {"stream": stream, "shard-id": shard}
    iterator = integrated(settings, "get", "/streams/{stream}/sharditerator", given)["ShardIterator"]
    read = integrated(settings, "get", "/streams/{stream}/records", {"stream": stream, "Shard-Iterator": iterator})
    own = gateway.get(f"{path}/records", headers={"Shard-Iterator": iterator}).json()
    assert [record["Data"] for record in read["Records"]] == ["MQ=="]
    assert read["Records"] == own["Records"]


@pytest.mark.parametrize("key", ['a", "StreamName": "another', "back\\slash", ""])
def test_a_key_that_would_end_its_text_in_the_template_is_refused_before(key: str) -> None:
    assert not re.match(API["components"]["schemas"]["PartitionKey"]["pattern"], key)
    assert API["x-amazon-apigateway-request-validator"] == "all"
