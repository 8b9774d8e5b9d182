"""Requests generated from the OpenAPI schema, none of which may cause an internal error."""

from __future__ import annotations

from typing import Any

import httpx
import schemathesis
from fastapi import FastAPI
from hypothesis import HealthCheck, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok

EXAMPLES = 25


def test_gateway_has_no_internal_error_for_requests_generated_from_the_schema(
    app: FastAPI, gateway: httpx.Client
) -> None:
    schema = schemathesis.openapi.from_dict(app.openapi())
    responses = set()
    for result in schema.get_all_operations():
        assert isinstance(result, Ok)
        operation = result.ok()

        @settings(
            max_examples=EXAMPLES, deadline=None, database=None, derandomize=True, suppress_health_check=[*HealthCheck]
        )
        @given(case=operation.as_strategy())
        def check(case: schemathesis.Case[Any]) -> None:
            response = case.call_and_validate(base_url=str(gateway.base_url), checks=[not_a_server_error])
            responses.add((case.operation.label, response.status_code))

        check()
    labels = {label for label, _ in responses}
    assert labels >= {"POST /topics/{topic}", "PUT /streams/{stream}/records", "POST /pin/batch", "GET /ready"}
    assert {status // 100 for _, status in responses} >= {2, 4}
