"""Server of the gateway: `python -m pin_pipeline.gateway.server --host 0.0.0.0 --port 8082`."""

from __future__ import annotations

import argparse
import resource

import uvicorn

from pin_pipeline.gateway.http.bounded_protocol import BoundedProtocol

APP = "pin_pipeline.gateway.app:create_app"


def serve(app: str, host: str, port: int) -> None:
    """Serve the gateway until SIGTERM or SIGINT.

    Args:
        app: import string of the function that creates the ASGI app.
        host: address to listen on.
        port: port to listen on.
    """
    # The default limit of 1,024 open files would let one client use up all connections.
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    # Proxies are not trusted: the address of a caller decides whether it needs an API key.
    uvicorn.run(
        app,
        factory=True,
        host=host,
        port=port,
        http=BoundedProtocol,
        ws="none",
        log_level="warning",
        access_log=False,
        proxy_headers=False,
    )


def main() -> None:
    """Parse the command line and serve the gateway."""
    parser = argparse.ArgumentParser(prog="python -m pin_pipeline.gateway.server", description="Serve the gateway.")
    parser.add_argument("--app", default=APP, help="function that creates the app (default: %(default)s)")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument("--port", type=int, default=8082, help="port to listen on (default: %(default)s)")
    options = parser.parse_args()
    serve(options.app, options.host, options.port)


if __name__ == "__main__":
    main()
