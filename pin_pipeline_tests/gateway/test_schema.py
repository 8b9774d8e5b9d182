"""Requests made up from the OpenAPI page: whatever they hold, the gateway itself does not fail."""

from __future__ import annotations

from typing import Any

import httpx
import schemathesis
from fastapi import FastAPI
from hypothesis import HealthCheck, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok

EXAMPLES = 25


def test_no_request_of_the_openapi_page_makes_the_gateway_fail(app: FastAPI, gateway: httpx.Client) -> None:
    schema = schemathesis.openapi.from_dict(app.openapi())
    answered = set()
    for result in schema.get_all_operations():
        assert isinstance(result, Ok)
        operation = result.ok()

        @settings(
            max_examples=EXAMPLES, deadline=None, database=None, derandomize=True, suppress_health_check=[*HealthCheck]
        )
        @given(case=operation.as_strategy())
        def check(case: schemathesis.Case[Any]) -> None:
            reply = case.call_and_validate(base_url=str(gateway.base_url), checks=[not_a_server_error])
            answered.add((case.operation.label, reply.status_code))

        check()
    labels = {label for label, _ in answered}
    assert labels >= {"POST /topics/{topic}", "PUT /streams/{stream}/records", "POST /pin/batch", "GET /ready"}
    assert {status // 100 for _, status in answered} >= {2, 4}
