"""Run jobs and assets in a process whose environment is full of secrets: `python -m ... JOB|ASSET,ASSET ...`.

Most of the runs fail, so that their error messages are searched for secrets too.
"""

from __future__ import annotations

import logging
import sys

import dagster as dg
from fastapi.testclient import TestClient

CALLS = {"x-api-key": "sk-wrong-key-of-a-caller", "authorization": "AWS4-HMAC-SHA256 Signature=signature-of-a-caller"}


def main() -> None:
    """Run the given jobs and materialize the given assets one after the other, also after failures."""
    logging.basicConfig(level=logging.INFO)
    from pin_pipeline.definitions import defs  # noqa: PLC0415 - reads the environment
    from pin_pipeline.gateway.app import create_app  # noqa: PLC0415

    instance = dg.DagsterInstance.get()
    for name in sys.argv[1:]:
        asset = "/" in name
        job = defs.resolve_implicit_global_asset_job_def() if asset else defs.resolve_job_def(name)
        selection = [dg.AssetKey.from_user_string(key) for key in name.split(",")] if asset else None
        try:
            run = job.execute_in_process(instance=instance, asset_selection=selection, raise_on_error=False)
            print(f"{name}: {run.success}")
        except dg.DagsterError as error:
            print(f"{name}: {error}")
    with TestClient(create_app(), base_url="http://10.0.0.9") as gateway:
        for header, value in CALLS.items():
            response = gateway.get("/topics", headers={header: value})
            print(f"gateway: {response.status_code} {response.text} {response.headers}")


if __name__ == "__main__":
    main()
