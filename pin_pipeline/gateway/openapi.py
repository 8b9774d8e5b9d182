"""OpenAPI descriptions of requests and responses, derived from msgspec models and example instances of them."""

from __future__ import annotations

from typing import Any

import msgspec

from pin_pipeline.gateway.http.error_handlers import ErrorBody, KinesisErrorBody
from pin_pipeline.gateway.http.media_types import JSON, RESPONSE_TYPES

Responses = dict[int | str, dict[str, Any]]
Schema = dict[str, Any]


def schema(model: Any) -> Schema:  # noqa: ANN401 - any type that msgspec supports
    """Return the JSON schema of a type, with references resolved."""
    [root], definitions = msgspec.json.schema_components([model])

    def resolve(node: Any) -> Any:  # noqa: ANN401 - a JSON value
        if isinstance(node, list):
            return [resolve(item) for item in node]
        if not isinstance(node, dict):
            return node
        if reference := node.get("$ref"):
            return resolve(definitions[reference.rpartition("/")[2]])
        return {name: resolve(value) for name, value in node.items()}

    resolved: Schema = resolve(root)
    return resolved


def content(example: Any, *media_types: str, model: Any = None) -> Schema:  # noqa: ANN401 - instances of models
    """Describe content by an example; its schema is that of the model, by default the type of the example."""
    described = {"schema": schema(model or type(example)), "example": msgspec.to_builtins(example)}
    return dict.fromkeys(media_types, described)


def response(description: str, example: Any, *media_types: str, model: Any = None) -> Schema:  # noqa: ANN401
    """Describe a response, by default in the media types of the Kafka REST API."""
    return {"description": description, "content": content(example, *(media_types or RESPONSE_TYPES), model=model)}


def error_response(error_code: int, message: str) -> Schema:
    """Describe an error response in the format of the Confluent REST Proxy."""
    return response(message, ErrorBody(error_code, message))


def kinesis_error_response(error_type: str, message: str) -> Schema:
    """Describe an error response in the format of Kinesis."""
    return response(message, KinesisErrorBody(error_type, message), JSON)


def request_body(described: Schema, *, required: bool = True) -> Schema:
    """Describe a request body whose route parses it itself; for `openapi_extra`."""
    return {"requestBody": {"required": required, "content": described}}


NOT_JSON: Responses = {400: error_response(400, "The body is not JSON.")}
TOPIC_NOT_FOUND: Responses = {
    404: error_response(40401, "The topic (40401) or one of its partitions (40402) is not found.")
}
NOT_ACCEPTABLE: Responses = {406: error_response(406, "The gateway cannot respond in a media type that Accept allows.")}
TOO_LARGE: Responses = {413: error_response(413, "The body is too large.")}
BUSY: Responses = {
    429: error_response(42901, "Too many bytes are in flight to the broker; retry after the seconds in Retry-After.")
}
UNAVAILABLE: Responses = {
    503: error_response(50302, "The broker did not respond; retry after the seconds in Retry-After.")
}
