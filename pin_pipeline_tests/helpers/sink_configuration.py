"""Configuration of the S3 sink connector, read from the file that Terraform deploys."""

from __future__ import annotations

import json
from collections.abc import Sequence

from pin_pipeline_tests.infra.policies import INFRA


def sink_configuration(topics: Sequence[str], bucket: str, region: str) -> dict[str, str]:
    """Return the configuration that `infra/landing.tf` gives the connector."""
    settings: dict[str, str] = json.loads((INFRA / "s3_sink.json").read_text())
    return {**settings, "topics": ",".join(topics), "s3.bucket.name": bucket, "s3.region": region}
