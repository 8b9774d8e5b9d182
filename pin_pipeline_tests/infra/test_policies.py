"""The IAM policies: single actions on named resources, accepted by IAM and listed on the page of permissions."""

from __future__ import annotations

import json
import re

import boto3
import pytest
from moto import mock_aws

from pin_pipeline_tests.infra.policies import INFRA, REGION, as_list, grants, roles, statements

PRODUCING_LANDING_READING = ("api_gateway", "gateway", "landing_connector", "databricks_instance_profile")
UNLIMITED = {
    "dagster": {"OpenEcsExecSession", "ListConnectors"},
    "databricks": {"DescribeResources"},
    "ecs_execution": {"AuthenticateToRegistry"},
}
"""Statements whose actions AWS cannot limit to a resource, by role."""


@pytest.mark.parametrize("role", roles())
def test_policies_allow_single_actions_on_named_resources(role: str) -> None:
    for statement in statements(role):
        assert statement["Effect"] == "Allow"
        assert not {"NotAction", "NotResource"} & statement.keys()
        assert not [action for action in as_list(statement["Action"]) if "*" in action or "?" in action]
        assert ("*" in as_list(statement["Resource"])) == (statement["Sid"] in UNLIMITED.get(role, ())), statement[
            "Sid"
        ]


@mock_aws
def test_iam_accepts_every_policy() -> None:
    iam = boto3.client("iam", region_name=REGION)
    for role in roles():
        iam.create_role(RoleName=role, AssumeRolePolicyDocument="{}")
        document = json.dumps({"Version": "2012-10-17", "Statement": statements(role)})
        iam.put_role_policy(RoleName=role, PolicyName=role, PolicyDocument=document)
        [kept] = iam.list_role_policies(RoleName=role)["PolicyNames"]
        assert kept == role


def test_producing_landing_and_reading_need_twenty_actions() -> None:
    assert len({grant.action for role in PRODUCING_LANDING_READING for grant in grants(role)}) == 20


def test_permissions_page_lists_every_action_and_names_existing_code() -> None:
    page = (INFRA.parent / "docs" / "aws" / "permissions.md").read_text()
    rows = re.findall(r"^\| (\w+) \| ([\w-]+:\w+) \| (.+) \|$", page, re.MULTILINE)
    # The actions of the control plane of Databricks are a list in its documentation.
    granted = {(grant.role, grant.action) for role in set(roles()) - {"databricks"} for grant in grants(role)}
    assert sorted((role, action) for role, action, _ in rows) == sorted(granted)
    paths = {path for *_, needed_by in rows for path in re.findall(r"`(\w+/[\w/.]+)`", needed_by)}
    assert not [path for path in paths if not (INFRA.parent / path).exists()]
