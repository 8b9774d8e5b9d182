"""The policies of the roles, and what they allow."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, NamedTuple

INFRA = Path(__file__).parents[2] / "infra"
REGION, ACCOUNT, CLUSTER = "us-east-1", "123456789012", "pinterest/3f6b0a4e-0000-4000-8000-000000000000-1"


class Call(NamedTuple):
    """An action, by its name in IAM, and the ARN of what it was done to; empty where the call does not name it."""

    action: str
    resource: str


class Grant(NamedTuple):
    """One action that a statement allows on the resources that match."""

    role: str
    sid: str
    action: str
    resources: tuple[str, ...]

    def covers(self, call: Call) -> bool:
        """Whether it allows a call."""
        named = any(fnmatchcase(call.resource, resource) for resource in self.resources)
        return call.action == self.action and (not call.resource or named)


def roles() -> list[str]:
    """The roles that have a policy."""
    return sorted(path.stem for path in (INFRA / "policies").glob("*.json"))


def filled(file: str, values: Mapping[str, str]) -> str:
    """A file of `infra/` as Terraform's `templatefile` makes it. Raises KeyError where a value is not given."""
    return re.sub(r"\$\{(\w+)\}", lambda name: values[name[1]], (INFRA / file).read_text())


def statements(role: str, prefix: str = "pinterest", bucket: str = "pin-pipeline") -> list[dict[str, Any]]:
    """The statements of a role, filled in as Terraform does."""
    values = {
        "account": ACCOUNT,
        "api": "a1b2c3",
        "bucket": bucket,
        "cluster": CLUSTER,
        "connector": f"{prefix}-landing",
        "instance_role": f"{prefix}-databricks-instance-profile",
        "landing_role": f"{prefix}-landing-connector",
        "messages_bucket": f"{bucket}-messages",
        "network": "vpc-0a1b2c3d4e5f60718",
        "nodes": "sg-0a1b2c3d4e5f60718",
        "prefix": prefix,
        "region": REGION,
        "source_secret": f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:rds!db-source",
    }
    found: list[dict[str, Any]] = json.loads(filled(f"policies/{role}.json", values))["Statement"]
    return found


def grants(role: str, prefix: str = "pinterest", bucket: str = "pin-pipeline") -> Iterator[Grant]:
    """What a role may do."""
    for statement in statements(role, prefix, bucket):
        for action in listed(statement["Action"]):
            yield Grant(role, statement["Sid"], action, tuple(listed(statement["Resource"])))


def listed(value: str | list[str]) -> list[str]:
    """One or many, as IAM writes them."""
    return [value] if isinstance(value, str) else value
