"""The IAM policies in `infra/policies`, and the actions that they allow."""

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
    """An IAM action, and the ARN of its resource; empty if the call does not name it."""

    action: str
    resource: str


class Grant(NamedTuple):
    """One action that a statement allows, and the patterns of its resources."""

    role: str
    sid: str
    action: str
    resources: tuple[str, ...]

    def covers(self, call: Call) -> bool:
        """Return whether it allows a call."""
        matches = any(fnmatchcase(call.resource, resource) for resource in self.resources)
        return call.action == self.action and (not call.resource or matches)


def roles() -> list[str]:
    """Return the roles that have a policy."""
    return sorted(path.stem for path in (INFRA / "policies").glob("*.json"))


def rendered(file: str, values: Mapping[str, str]) -> str:
    """Render a file of `infra/` as Terraform's `templatefile` does.

    Raises:
        KeyError: the file uses a variable without a value.
    """
    return re.sub(r"\$\{(\w+)\}", lambda variable: values[variable[1]], (INFRA / file).read_text())


def statements(role: str, prefix: str = "pinterest", bucket: str = "pin-pipeline") -> list[dict[str, Any]]:
    """Return the statements of the policy of a role, rendered as Terraform does."""
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
    policy_statements: list[dict[str, Any]] = json.loads(rendered(f"policies/{role}.json", values))["Statement"]
    return policy_statements


def grants(role: str, prefix: str = "pinterest", bucket: str = "pin-pipeline") -> Iterator[Grant]:
    """Yield the grants of a role."""
    for statement in statements(role, prefix, bucket):
        for action in as_list(statement["Action"]):
            yield Grant(role, statement["Sid"], action, tuple(as_list(statement["Resource"])))


def as_list(value: str | list[str]) -> list[str]:
    """Return a value of a statement, which may be a string or a list, as a list."""
    return [value] if isinstance(value, str) else value
