"""The Terraform configuration, as far as it can be tested without an AWS account."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any

import dagster as dg
import hcl2
import pytest
from psycopg.conninfo import conninfo_to_dict

from pin_pipeline.local import postgres
from pin_pipeline.records import RECORD_TYPES
from pin_pipeline.settings import Settings
from pin_pipeline.storage.object_format import MAX_RECORDS
from pin_pipeline.storage.object_keys import MAX_OFFSET
from pin_pipeline_tests.infra.policies import INFRA, roles

SOURCES = {path.name: path.read_text() for path in INFRA.glob("*.tf")}
PARSED: list[dict[str, Any]] = [hcl2.loads(text) for text in SOURCES.values()]


def blocks(block_type: str) -> Iterator[dict[str, Any]]:
    for file in PARSED:
        yield from file.get(block_type, [])


def resources(resource_type: str) -> dict[str, dict[str, Any]]:
    """Return the resources of a type by name."""
    found = [body for block in blocks("resource") for name, body in block.items() if name.strip('"') == resource_type]
    return {name.strip('"'): body for each in found for name, body in each.items()}


def local(name: str) -> dict[str, Any]:
    [found] = [block[name] for block in blocks("locals") if name in block]
    return {key.strip('"'): value for key, value in found.items()}


def test_each_policy_belongs_to_one_role_and_gets_its_template_values() -> None:
    service_roles, databricks = set(local("roles")), {"databricks"}
    assert service_roles | databricks == set(roles())
    assert 'templatefile("${path.module}/policies/${each.key}.json", local.policy_variables)' in SOURCES["roles.tf"]
    variables = set(local("policy_variables"))
    for role in service_roles:
        assert set(re.findall(r"\$\{(\w+)\}", (INFRA / f"policies/{role}.json").read_text())) <= variables
    assert not re.findall(r"policy_arn|managed_policy", "".join(SOURCES.values())), (
        "a role may have only its policy in policies/"
    )


def test_no_long_lived_credentials_exist() -> None:
    resource_types = {name.strip('"') for block in blocks("resource") for name in block}
    assert not resource_types & {"aws_iam_user", "aws_iam_access_key", "aws_secretsmanager_secret_version"}
    assert "manage_master_user_password" in resources("aws_db_instance")["of"]
    assert "password" not in resources("aws_db_instance")["of"]


@pytest.mark.parametrize(
    "resource_type",
    [
        "aws_s3_bucket_versioning",
        "aws_s3_bucket_server_side_encryption_configuration",
        "aws_s3_bucket_public_access_block",
        "aws_s3_bucket_policy",
    ],
)
def test_every_bucket_is_versioned_encrypted_private_and_tls_only(resource_type: str) -> None:
    assert set(resources("aws_s3_bucket")) == {"of"}
    assert [body["for_each"] for body in resources(resource_type).values()] == ["${aws_s3_bucket.of}"]


def test_ingress_is_allowed_only_from_a_security_group_on_one_port() -> None:
    rules = resources("aws_vpc_security_group_ingress_rule")
    assert all("referenced_security_group_id" in rule for rule in rules.values())
    assert not [rule for rule in rules.values() if {"cidr_ipv4", "cidr_ipv6"} & rule.keys()]
    assert [name for name, rule in rules.items() if "from_port" not in rule] == ["nodes"]
    assert not resources("aws_security_group_rule")
    assert not {"ingress", "egress"} & resources("aws_security_group")["of"].keys()


def test_resources_have_no_dependency_cycle() -> None:
    nodes = {
        f"{resource_type}.{name}": repr(body)
        for block in blocks("resource")
        for resource_type, resources_of_type in block.items()
        for name, body in resources_of_type.items()
    } | {f"local.{name}": repr(body) for block in blocks("locals") for name, body in block.items()}
    nodes = {name.replace('"', ""): body for name, body in nodes.items()}
    dependencies = {
        name: {other for other in nodes if re.search(rf"\b{other}\b", body)} for name, body in nodes.items()
    }
    assert dependencies["aws_mskconnect_connector.landing"] >= {"aws_iam_role_policy.of", "local.connector"}
    TopologicalSorter(dependencies).prepare()  # raises CycleError, which shows the cycle


def test_every_variable_and_output_has_a_description() -> None:
    described = [
        body for block_type in ("variable", "output") for block in blocks(block_type) for body in block.values()
    ]
    assert described
    assert all(body.get("description") for body in described)


def terraform() -> str:
    found = shutil.which("terraform") or shutil.which("tofu")
    if found is None:
        pytest.skip("needs terraform or tofu on PATH")
    return found


def test_connector_configuration_matches_the_one_landing_expects() -> None:
    source = re.sub(r"\s+", " ", SOURCES["landing.tf"])
    merged = re.search(
        r'connector_configuration = merge\(jsondecode\(file\("\$\{path.module\}/s3_sink.json"\)\), \{(.*?)\}\)', source
    )
    assert merged, "Terraform deploys the file that the landing tests use"
    assert re.findall(r'"([\w.]+)" =', merged[1]) == ["topics", "s3.bucket.name", "s3.region"]
    settings = json.loads((INFRA / "s3_sink.json").read_text())
    expected = {
        "tasks.max": str(len(RECORD_TYPES)),
        "topics.dir": "topics",
        "format.class": "io.confluent.connect.s3.format.bytearray.ByteArrayFormat",
        "format.bytearray.extension": ".json",
        "consumer.override.isolation.level": "read_committed",
        "flush.size": str(MAX_RECORDS),
        "enable.conditional.writes": "false",
        "filename.offset.zero.pad.width": str(len(str(MAX_OFFSET))),
        "errors.tolerance": "none",
        "behavior.on.null.values": "fail",
    }
    assert {name: settings[name] for name in expected} == expected


def test_terraform_fmt_passes() -> None:
    result = subprocess.run([terraform(), "fmt", "-check", "-diff", INFRA], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr


def test_terraform_validate_passes(tmp_path: Path) -> None:
    binary, folder = terraform(), tmp_path / "infra"
    shutil.copytree(INFRA, folder)
    initialized = subprocess.run(
        [binary, "init", "-backend=false", "-no-color"], cwd=folder, capture_output=True, text=True, check=False
    )
    if initialized.returncode and "development overrides" not in initialized.stdout + initialized.stderr:
        pytest.skip(f"the AWS provider cannot be downloaded: {' '.join(initialized.stderr.split())[-200:]}")
    result = subprocess.run([binary, "validate", "-no-color"], cwd=folder, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr


def test_dagster_instance_stores_its_state_in_postgres(
    local_environment: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = int(conninfo_to_dict(local_environment.postgres_url)["port"] or 0)
    url = postgres.url(local_environment.home, port, "dagster")
    postgres.create_database(url)
    monkeypatch.setenv("DAGSTER_POSTGRES_URL", url)
    with dg.DagsterInstance.from_config(str(INFRA)) as instance:
        instance.add_dynamic_partitions("kept", ["here"])
    with dg.DagsterInstance.from_config(str(INFRA)) as instance:
        assert instance.get_dynamic_partitions("kept") == ["here"]
