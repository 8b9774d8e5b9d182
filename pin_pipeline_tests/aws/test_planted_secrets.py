"""Twenty kinds of secrets are planted, real work is done and fails with them, and all that it wrote is searched."""

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
    "password in a source URL that is none": "pa55-of-no-url",
    "password of the source database in Secrets Manager": "managed-pa55/word",
    "a secret that holds no login": "not-even-json-pa55",
    "password of Postgres in its URL": "postgres-pa55word",
    "password in a Postgres URL that is none": "pa55-of-no-dsn",
    "password for SCRAM": PASSWORD,
    "AWS access key": "AKIAPLANTED0000EXAMPLE",
    "AWS secret key": "planted/secret+key/0123456789abcdefghijkl",
    "AWS session token": "FwoGZXIvYXdzEPLANTED//////////wEaDtoken=",
    "Databricks token": "dapi0123456789abcdef0123456789abcdef",
    "Databricks client secret": "dose0123456789abcdefplanted",
    "key of the gateway": "sk-gateway-key-planted",
    "key of a signer of the gateway": "signer-secret-planted",
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
    "PIN_GATEWAY_SIGNERS": f"AKIASIGNER:{SECRETS['key of a signer of the gateway']}",
    "PGPASSWORD": SECRETS["PGPASSWORD"],
    "MYSQL_PWD": SECRETS["MYSQL_PWD"],
    "PIN_POSTGRES_URL": f"postgresql://pin:{SECRETS['password of Postgres in its URL']}@127.0.0.1:1/x",
    "PIN_SOURCE_URL": f"mysql+pymysql://pin:{SECRETS['password of the source database in its URL']}@127.0.0.1:1/x",
}


@pytest.fixture
def places(settings: Settings, tmp_path: Path) -> dict[str, str]:
    """Where the work finds its parts, and leaves what it writes."""
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


def work(variables: Mapping[str, str], *names: str) -> str:
    """Run jobs and assets in a process of their own; returns all that it printed."""
    command = [sys.executable, "-m", "pin_pipeline_tests.aws.run_with_secrets", *names]
    answer = subprocess.run(command, env=dict(variables), capture_output=True, text=True, check=False, timeout=300)
    return answer.stdout + answer.stderr


def written(settings: Settings, folder: Path) -> Iterator[tuple[str, bytes]]:
    """All that lies in a folder and in the bucket: event log, run storage, compute logs, objects, tables."""
    for path in folder.rglob("*"):
        if path.is_file():
            yield str(path), path.read_bytes()
    client = boto3.client("s3", endpoint_url=settings.s3_endpoint_url)
    for page in client.get_paginator("list_objects_v2").paginate(Bucket=settings.bucket):
        for entry in page.get("Contents", ()):
            yield entry["Key"], client.get_object(Bucket=settings.bucket, Key=entry["Key"])["Body"].read()


def forms(secret: str) -> set[bytes]:
    """How a secret may look where it was written."""
    encoded = secret.encode()
    return {
        encoded,
        quote(secret, safe="").encode(),
        json.dumps(secret)[1:-1].encode(),
        base64.b64encode(encoded),
    }


def search(settings: Settings, folder: Path, printed: str) -> list[str]:
    """Which secret stands where."""
    found = []
    for place, content in [("what it printed", printed.encode()), *written(settings, folder)]:
        found += [
            f"{name} in {place}" for name, secret in SECRETS.items() if any(form in content for form in forms(secret))
        ]
    return found


def test_the_search_finds_what_is_there(settings: Settings, tmp_path: Path) -> None:
    name, secret = next(iter(SECRETS.items()))
    (tmp_path / "log").write_text(f"url is x:{secret}@y")
    assert search(settings, tmp_path, base64.b64encode(secret.encode()).decode()) == [
        f"{name} in what it printed",
        f"{name} in {tmp_path / 'log'}",
    ]


def test_no_secret_is_written_by_the_local_environment(
    settings: Settings, places: dict[str, str], tmp_path: Path
) -> None:
    for record_type, row in (("pin", pin(1)), ("geo", geo(1)), ("user", user(1))):
        produce(settings, record_type, [row, b"no json"])
    good = ",".join(f"{layer}/{record_type}" for layer in ("raw", "cleaned") for record_type in RECORD_TYPES)
    bad = "serving/popular_categories"
    printed = work(places | SHARED, "emulation", good, bad)
    assert {name: f"{name}: True" in printed for name in ("emulation", good, bad)} == {
        "emulation": False,
        good: True,
        bad: False,
    }
    assert "gateway: 40" in printed
    odd = {
        "PIN_SOURCE_URL": f"mysql+pymysql://pin:{SECRETS['password in a source URL that is none']}@host:port/x",
        "PIN_POSTGRES_URL": f"postgresql://pin:{SECRETS['password in a Postgres URL that is none']}@host:port:port/x",
    }
    printed += work(places | SHARED | odd, "emulation", "serving/popular_categories")
    assert search(settings, tmp_path, printed) == []


def test_no_secret_is_written_on_aws(
    aws: ControlPlane, settings: Settings, secure_broker: SecureBroker, places: dict[str, str], tmp_path: Path
) -> None:
    aws.brokers[ARN] = {"BootstrapBrokerStringSaslScram": secure_broker.secure}
    client = boto3.client("secretsmanager")
    source = {"username": "pin", "password": SECRETS["password of the source database in Secrets Manager"]}
    for name, content in {
        "planted/scram": json.dumps({"username": USER, "password": PASSWORD}),
        "planted/source": json.dumps(source),
        "planted/odd": SECRETS["a secret that holds no login"],
    }.items():
        client.create_secret(Name=name, SecretString=content)
    variables = {
        **places,
        **SHARED,
        **{name: value for name, value in os.environ.items() if name.startswith("AWS_ENDPOINT_URL_")},
        "PIN_ENVIRONMENT": "aws",
        "PIN_MSK_CLUSTER_ARN": ARN,
        "PIN_MSK_CONNECTOR": "pins",
        "PIN_KAFKA_BOOTSTRAP": "",
        "PIN_KAFKA_SECURITY": "scram",
        "PIN_KAFKA_SECRET": "planted/scram",
        "PIN_KAFKA_CA_FILE": str(secure_broker.ca_file),
        "PIN_SOURCE_URL": "mysql+pymysql://127.0.0.1:1/x",
        "PIN_SOURCE_SECRET": "planted/source",
        "PIN_GATEWAY_URL": "http://127.0.0.1:1",
    }
    printed = work(variables, "create_topics_and_streams", "raw/geo", "emulation")
    for name, success in {"create_topics_and_streams": True, "raw/geo": True, "emulation": False}.items():
        assert f"{name}: {success}" in printed, printed[-3000:]
    odd = {"PIN_KAFKA_SECRET": "planted/odd", "PIN_SOURCE_SECRET": "planted/odd"}
    printed += work(variables | odd, "create_topics_and_streams", "emulation")
    assert "secret planted/odd holds no login" in printed
    aws.brokers[ARN] = {"BootstrapBrokerStringSaslIam": secure_broker.secure}
    escaped = quote(SECRETS["the same, with characters that a URL escapes"], safe="")
    iam = {
        "PIN_KAFKA_SECURITY": "iam",
        "PIN_SOURCE_SECRET": "",
        "PIN_SOURCE_URL": f"mysql+pymysql://pin:{escaped}@127.0.0.1:1/x",
    }
    printed += work(variables | iam, "create_topics_and_streams", "emulation")
    assert search(settings, tmp_path, printed) == []
