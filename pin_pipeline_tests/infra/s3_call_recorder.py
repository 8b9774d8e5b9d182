"""Proxy in front of an S3 endpoint that records the IAM actions that each request needs.

`python -m pin_pipeline_tests.infra.s3_call_recorder http://host:port FILE` prints its own address, and writes one line
per action to the file: the name of the action and the ARN of its resource. It runs as a separate process, and the lines
do not go to a pipe, because the client of Delta Lake holds Python's global lock while it waits for a response.
"""

from __future__ import annotations

import http.client
import re
import sys
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import IO
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import unescape

from pin_pipeline.local import ports
from pin_pipeline_tests.infra.policies import Call

KEY = re.compile("<Key>(.*?)</Key>")
HOP_BY_HOP_HEADERS = {"connection", "content-length", "keep-alive", "transfer-encoding"}


def main(endpoint_url: str, file: str) -> None:
    """Serve until the process is terminated."""
    with (
        Path(file).open("w", buffering=1) as recorded,
        _ProxyServer((ports.HOST, 0), _handler(urlsplit(endpoint_url).netloc, recorded)) as server,
    ):
        print(f"http://{ports.HOST}:{server.server_port}", flush=True)
        server.serve_forever()


def calls(method: str, target: str, headers: Mapping[str, str], body: bytes) -> Iterator[Call]:
    """Yield the actions that a request needs.

    https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-with-s3-policy-actions.html

    Raises:
        ValueError: the request is of a form that the pipeline was not known to send.
    """
    url = urlsplit(target)
    query = parse_qs(url.query, keep_blank_values=True)
    bucket, _, key = unquote(url.path).removeprefix("/").partition("/")
    arn = f"arn:aws:s3:::{bucket}/{key}" if key else f"arn:aws:s3:::{bucket}"
    match method, bool(key):
        case ("GET" | "HEAD", True):
            yield Call("s3:GetObject", arn)
        case ("PUT" | "POST", True):
            yield Call("s3:PutObject", arn)
            if source := headers.get("x-amz-copy-source"):
                yield Call("s3:GetObject", f"arn:aws:s3:::{unquote(source).removeprefix('/')}")
        case ("DELETE", True):
            yield Call("s3:AbortMultipartUpload" if "uploadId" in query else "s3:DeleteObject", arn)
        case ("HEAD", False):
            yield Call("s3:ListBucket", arn)
        case ("GET", False) if {"list-type", "prefix"} & query.keys():
            yield Call("s3:ListBucket", arn)
        case ("POST", False) if "delete" in query:
            for deleted in KEY.findall(body.decode()):
                yield Call("s3:DeleteObject", f"{arn}/{unescape(deleted)}")
        case _:
            raise ValueError(f"{method} {target}: the IAM action of this request is unknown, add it here")


class _ProxyServer(ThreadingHTTPServer):
    request_queue_size = 128


def _handler(upstream: str, recorded: IO[str]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def forward(self) -> None:
            headers = {name.lower(): value for name, value in self.headers.items()}
            body = self.rfile.read(int(headers.get("content-length", 0)))
            for call in calls(self.command, self.path, headers, body):
                recorded.write(f"{' '.join(call)}\n")
            connection = http.client.HTTPConnection(upstream, timeout=60)
            del headers["host"]  # the endpoint accepts only its own
            connection.request(self.command, self.path, body, headers)
            response = connection.getresponse()
            content = response.read()
            connection.close()
            self.send_response_only(response.status, response.reason)
            for name, value in response.getheaders():
                if name.lower() not in HOP_BY_HOP_HEADERS:
                    self.send_header(name, value)
            length = response.getheader("Content-Length", "0") if self.command == "HEAD" else str(len(content))
            self.send_header("Content-Length", length)
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = forward  # noqa: N815 - names of the base class

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - name of the base class
            pass

    return Handler


if __name__ == "__main__":
    main(*sys.argv[1:])
