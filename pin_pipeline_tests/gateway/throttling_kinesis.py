"""Kinesis endpoint that refuses records individually, as a throttled shard does, and forwards the others."""

from __future__ import annotations

import base64
import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import boto3
import httpx

THROTTLED = {
    "ErrorCode": "ProvisionedThroughputExceededException",
    "ErrorMessage": "Rate exceeded for shard shardId-000000000000",
}


class ThrottlingKinesis:
    """Proxy of the local Kinesis endpoint.

    Attributes:
        remaining_refusals: number of times to refuse a record, by its partition key.
        requests: partition keys of each PutRecords request.
    """

    def __init__(self, endpoint_url: str) -> None:
        self.remaining_refusals: dict[str, int] = {}
        self.requests: list[list[str]] = []
        self._endpoint_url = endpoint_url
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                status, content = proxy.respond(dict(self.headers), body)
                self.send_response(status)
                self.send_header("Content-Type", "application/x-amz-json-1.1")
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - name in the base class
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def respond(self, headers: dict[str, str], body: bytes) -> tuple[int, bytes]:
        """Return the status and the body of the response."""
        if not headers["X-Amz-Target"].endswith("PutRecords"):
            del headers["Host"]  # the endpoint accepts only its own
            response = httpx.post(self._endpoint_url, content=body, headers=headers)
            return response.status_code, response.content
        return 200, json.dumps(self._put_records(json.loads(body))).encode()

    def _put_records(self, request: dict[str, Any]) -> dict[str, Any]:
        keys = [record["PartitionKey"] for record in request["Records"]]
        self.requests.append(keys)
        results = [self._refuse(key) for key in keys]
        accepted = [record for record, result in zip(request["Records"], results, strict=True) if result is None]
        if accepted:
            kinesis = boto3.client("kinesis", endpoint_url=self._endpoint_url, region_name="us-east-1")
            for record in accepted:
                record["Data"] = base64.b64decode(record["Data"])
            stored = iter(kinesis.put_records(StreamName=request["StreamName"], Records=accepted)["Records"])
            results = [result or next(stored) for result in results]
        failed = sum("ErrorCode" in (result or {}) for result in results)
        return {"FailedRecordCount": failed, "Records": results}

    def _refuse(self, key: str) -> dict[str, Any] | None:
        """Return the refusal of a record; None if it is accepted."""
        if self.remaining_refusals.get(key, 0) == 0:
            return None
        self.remaining_refusals[key] -= 1
        return dict(THROTTLED)
