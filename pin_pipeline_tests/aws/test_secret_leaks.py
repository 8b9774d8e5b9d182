"""Secrets never reach logs, run storage or S3: runs with nineteen injected secrets succeed and fail, and their output
is searched.
"""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.parse import quote

import boto3
import pytest

from pin_pipeline.records import RECORD_TYPES
from pin_pipeline.settings import Settings
from pin_pipeline_tests.aws.conftest import ARN, PASSWORD, USER, SecureBroker
from pin_pipeline_tests.aws.control_plane import ControlPlane
from pin_pipeline_tests.aws.run_with_secrets import CALLS
from pin_pipeline_tests.helpers.rows import geo, pin, user
from pin_pipeline_tests.helpers.topics import produce

SECRETS = {
    "password of the source database in its URL": "source-pa55word",
    "the same, with characters that a URL escapes": "p@ss/w:rd#source",
    "password in an invalid source URL": "pa55-of-no-url",
    "password of the source database in Secrets Manager": "managed-pa55/word",
    "a secret that does not contain credentials": "not-even-json-pa55",
    "password of Postgres in its URL": "postgres-pa55word",
    "password in an invalid Postgres URL": "pa55-of-no-dsn",
    "password for SCRAM": PASSWORD,
    "AWS access key": "AKIAPLANTED0000EXAMPLE",
    "AWS secret key": "injected/secret+key/0123456789abcdefghijkl",
    "AWS session token": "FwoGZXIvYXdzEPLANTED//////////wEaDtoken=",
    "Databricks token": "dapi0123456789abcdef0123456789abcdef",
    "Databricks client secret": "dose0123456789abcdefplanted",
    "key of the gateway": "sk-gateway-key-planted",
    "PGPASSWORD": "pgpassword-planted",
    "MYSQL_PWD": "mysql-pwd-planted",
    "key that a caller sends": CALLS["x-api-key"],
    "signature that a caller sends": "signature-of-a-caller",
    "request that is signed for MSK": "X-Amz-Signature=",
}
SHARED = {
    "AWS_ACCESS_KEY_ID": SECRETS["AWS access key"],
    "AWS_SECRET_ACCESS_KEY": SECRETS["AWS secret key"],
    "AWS_SESSION_TOKEN": SECRETS["AWS session token"],
    "DATABRICKS_HOST": "https://127.0.0.1:1",
    "DATABRICKS_TOKEN": SECRETS["Databricks token"],
    "DATABRICKS_CLIENT_SECRET": SECRETS["Databricks client secret"],
    "PIN_GATEWAY_API_KEYS": SECRETS["key of the gateway"],
    "PGPASSWORD": SECRETS["PGPASSWORD"],
    "MYSQL_PWD": SECRETS["MYSQL_PWD"],
    "PIN_POSTGRES_URL": f"postgresql://pin:{SECRETS['password of Postgres in its URL']}@127.0.0.1:1/x",
    "PIN_SOURCE_URL": f"mysql+pymysql://pin:{SECRETS['password of the source database in its URL']}@127.0.0.1:1/x",
}


@pytest.fixture
def run_environment(settings: Settings, tmp_path: Path) -> dict[str, str]:
    """Environment variables of a run: addresses of the servers, and folders for its output."""
    home = tmp_path / "dagster"
    home.mkdir()
    names = {"PATH", "HOME", "PIN_JARS", "JAVA_HOME", "PYTHONPATH"}
    keep = {name: os.environ[name] for name in names & os.environ.keys()}
    assert settings.s3_endpoint_url
    assert settings.kinesis_endpoint_url
    return keep | {
        "DAGSTER_HOME": str(home),
        "PIN_HOME": str(tmp_path / "home"),
        "PIN_PREFIX": settings.prefix,
        "PIN_BUCKET": settings.bucket,
        "PIN_KAFKA_BOOTSTRAP": settings.kafka.bootstrap,
        "PIN_S3_ENDPOINT_URL": settings.s3_endpoint_url,
        "PIN_KINESIS_ENDPOINT_URL": settings.kinesis_endpoint_url,
        "AWS_REGION": "us-east-1",
        "AWS_MAX_ATTEMPTS": "1",
    }


def run(variables: Mapping[str, str], *names: str) -> str:
    """Run jobs and assets in a separate process; return its output."""
    command = [sys.executable, "-m", "pin_pipeline_tests.aws.run_with_secrets", *names]
    completed = subprocess.run(command, env=dict(variables), capture_output=True, text=True, check=False, timeout=300)
    return completed.stdout + completed.stderr


def written(settings: Settings, folder: Path) -> Iterator[tuple[str, bytes]]:
    """Yield every file in a folder and every object in the bucket: event log, run storage, compute logs, tables."""
    for path in folder.rglob("*"):
        if path.is_file():
            yield str(path), path.read_bytes()
    client = boto3.client("s3", endpoint_url=settings.s3_endpoint_url)
    for page in client.get_paginator("list_objects_v2").paginate(Bucket=settings.bucket):
        for entry in page.get("Contents", ()):
            yield entry["Key"], client.get_object(Bucket=settings.bucket, Key=entry["Key"])["Body"].read()


def forms(secret: str) -> set[bytes]:
    """Return the forms in which a secret may appear."""
    encoded = secret.encode()
    return {
        encoded,
        quote(secret, safe="").encode(),
        json.dumps(secret)[1:-1].encode(),
        base64.b64encode(encoded),
    }


def search(settings: Settings, folder: Path, printed: str) -> list[str]:
    """Return which secrets are found where."""
    found = []
    for place, content in [("the output", printed.encode()), *written(settings, folder)]:
        found += [
            f"{name} in {place}" for name, secret in SECRETS.items() if any(form in content for form in forms(secret))
        ]
    return found


def test_search_finds_injected_secrets(settings: Settings, tmp_path: Path) -> None:
    name, secret = next(iter(SECRETS.items()))
    (tmp_path / "log").write_text(f"url is x:{secret}@y")
    assert search(settings, tmp_path, base64.b64encode(secret.encode()).decode()) == [
        f"{name} in the output",
        f"{name} in {tmp_path / 'log'}",
    ]


def test_local_runs_write_no_secret(settings: Settings, run_environment: dict[str, str], tmp_path: Path) -> None:
    for record_type, row in (("pin", pin(1)), ("geo", geo(1)), ("user", user(1))):
        produce(settings, record_type, [row, b"no json"])
    good = ",".join(f"{layer}/{record_type}" for layer in ("raw", "cleaned") for record_type in RECORD_TYPES)
    bad = "serving/popular_categories"
    printed = run(run_environment | SHARED, "emulation", good, bad)
    assert {name: f"{name}: True" in printed for name in ("emulation", good, bad)} == {
        "emulation": False,
        good: True,
        bad: False,
    }
    assert "gateway: 40" in printed
    odd = {
        "PIN_SOURCE_URL": f"mysql+pymysql://pin:{SECRETS['password in an invalid source URL']}@host:port/x",
        "PIN_POSTGRES_URL": f"postgresql://pin:{SECRETS['password in an invalid Postgres URL']}@host:port:port/x",
    }
    printed += run(run_environment | SHARED | odd, "emulation", "serving/popular_categories")
    assert search(settings, tmp_path, printed) == []


def test_aws_runs_write_no_secret(
    aws: ControlPlane, settings: Settings, secure_broker: SecureBroker, run_environment: dict[str, str], tmp_path: Path
) -> None:
    aws.brokers[ARN] = {"BootstrapBrokerStringSaslScram": secure_broker.secure}
    client = boto3.client("secretsmanager")
    source = {"username": "pin", "password": SECRETS["password of the source database in Secrets Manager"]}
    for name, content in {
        "injected/scram": json.dumps({"username": USER, "password": PASSWORD}),
        "injected/source": json.dumps(source),
        "injected/odd": SECRETS["a secret that does not contain credentials"],
    }.items():
        client.create_secret(Name=name, SecretString=content)
    variables = {
        **run_environment,
        **SHARED,
        **{name: value for name, value in os.environ.items() if name.startswith("AWS_ENDPOINT_URL_")},
        "PIN_ENVIRONMENT": "aws",
        "PIN_MSK_CLUSTER_ARN": ARN,
        "PIN_MSK_CONNECTOR": "pins",
        "PIN_KAFKA_BOOTSTRAP": "",
        "PIN_KAFKA_SECURITY": "scram",
        "PIN_KAFKA_SECRET": "injected/scram",
        "PIN_KAFKA_CA_FILE": str(secure_broker.ca_file),
        "PIN_SOURCE_URL": "mysql+pymysql://127.0.0.1:1/x",
        "PIN_SOURCE_SECRET": "injected/source",
        "PIN_GATEWAY_URL": "http://127.0.0.1:1",
    }
    printed = run(variables, "create_topics_and_streams", "raw/geo", "emulation")
    for name, success in {"create_topics_and_streams": True, "raw/geo": True, "emulation": False}.items():
        assert f"{name}: {success}" in printed, printed[-3000:]
    odd = {"PIN_KAFKA_SECRET": "injected/odd", "PIN_SOURCE_SECRET": "injected/odd"}
    printed += run(variables | odd, "create_topics_and_streams", "emulation")
    assert "secret injected/odd does not contain credentials" in printed
    aws.brokers[ARN] = {"BootstrapBrokerStringSaslIam": secure_broker.secure}
    escaped = quote(SECRETS["the same, with characters that a URL escapes"], safe="")
    iam = {
        "PIN_KAFKA_SECURITY": "iam",
        "PIN_SOURCE_SECRET": "",
        "PIN_SOURCE_URL": f"mysql+pymysql://pin:{escaped}@127.0.0.1:1/x",
    }
    printed += run(variables | iam, "create_topics_and_streams", "emulation")
    assert search(settings, tmp_path, printed) == []
