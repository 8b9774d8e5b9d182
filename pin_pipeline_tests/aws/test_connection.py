"""TLS and SCRAM against a real broker that is found by the cluster's ARN; IAM by AWS's signing rules."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

import boto3
import pytest
from botocore import auth
from botocore.auth import SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from confluent_kafka import KafkaException
from confluent_kafka import Producer as Client
from kafka import KafkaConsumer, KafkaProducer
from kafka.net.sasl.msk import AwsMskIamClient
from pyspark.sql import SparkSession

from pin_pipeline.defs.resources.aws import MskKafka
from pin_pipeline.gateway.kafka.producer import DeliveryResult, Producer, RecordMetadata
from pin_pipeline.gateway.produce_request import ProduceRecord
from pin_pipeline.kafka import topics
from pin_pipeline.kafka.connection import KafkaConnection, Security
from pin_pipeline.kafka.topics import TopicError
from pin_pipeline.landing.lander import land_topic
from pin_pipeline.reconciliation.broker import BrokerReader
from pin_pipeline.settings import Settings
from pin_pipeline.storage.object_store import ObjectStore
from pin_pipeline_tests.aws.conftest import ARN, PASSWORD, USER, SecureBroker
from pin_pipeline_tests.aws.control_plane import ControlPlane

SECRET = "AmazonMSK_pins"  # noqa: S105 - its name


@pytest.fixture
def msk(aws: ControlPlane, secure_broker: SecureBroker, settings: Settings) -> MskKafka:
    """A cluster whose SCRAM listener is that of the real broker; its credentials are in Secrets Manager."""
    aws.brokers[ARN] = {"BootstrapBrokerStringSaslScram": secure_broker.secure}
    store_secret({"username": USER, "password": PASSWORD})
    return MskKafka(
        prefix=settings.prefix,
        cluster_arn=ARN,
        region="us-east-1",
        security=Security.SCRAM,
        secret=SECRET,
        ca_file=str(secure_broker.ca_file),
    )


def store_secret(credentials: dict[str, str]) -> None:
    """Store credentials in Secrets Manager."""
    client = boto3.client("secretsmanager")
    try:
        client.create_secret(Name=SECRET, SecretString=json.dumps(credentials))
    except client.exceptions.ResourceExistsException:
        client.put_secret_value(SecretId=SECRET, SecretString=json.dumps(credentials))


async def post(connection: KafkaConnection, topic: str, value: bytes) -> Sequence[DeliveryResult]:
    """Send a record by the gateway's producer."""
    producer = Producer(connection)
    try:
        return await producer.send(topic, [ProduceRecord(value)], [0])
    finally:
        producer.close()


def test_python_clients_authenticate_by_tls_and_scram(msk: MskKafka, settings: Settings) -> None:
    assert msk.create_topics(["pin"]) == [settings.topic("pin")]
    assert msk.create_topics(["pin"]) == []
    connection = msk.connection()
    assert asyncio.run(post(connection, settings.topic("pin"), b'{"n": 1}')) == [RecordMetadata(0, 0)]
    producer = KafkaProducer(**connection.kafka_python())
    producer.send(settings.topic("pin"), b'{"n": 2}', partition=0).get(timeout=10)
    producer.close()
    broker = BrokerReader(connection, settings.topic("pin"))
    assert list(broker.messages(0, 0)) == [(0, b'{"n": 1}'), (1, b'{"n": 2}')]
    broker.close()
    landed = land_topic(connection, ObjectStore.of(settings), settings.topic("pin"))
    assert (landed.records, landed.missing) == (2, 0)


def test_spark_authenticates_by_tls_and_scram(
    msk: MskKafka, settings: Settings, session: Callable[[], SparkSession]
) -> None:
    msk.create_topics(["geo"])
    producer = KafkaProducer(**msk.connection().kafka_python())
    producer.send(settings.topic("geo"), b'{"n": 3}', partition=0).get(timeout=10)
    producer.close()
    records = session().read.format("kafka").options(**msk.connection().spark(), subscribe=settings.topic("geo"))
    assert [bytes(row["value"]) for row in records.load().select("value").collect()] == [b'{"n": 3}']


def test_wrong_password_is_an_error_without_the_password(msk: MskKafka, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(topics, "BOOTSTRAP_TIMEOUT_MS", 2000)
    store_secret({"username": USER, "password": "a guess"})
    with pytest.raises(TopicError) as caught:
        msk.create_topics(["pin"])
    assert f"could not create topics at {ARN}: " in str(caught.value)
    assert "a guess" not in str(caught.value)


def test_broker_with_certificate_of_unknown_authority_is_rejected(
    msk: MskKafka, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(topics, "BOOTSTRAP_TIMEOUT_MS", 2000)
    with pytest.raises(TopicError, match=f"could not create topics at {ARN}"):
        msk.model_copy(update={"ca_file": ""}).create_topics(["pin"])


def test_password_is_quoted_for_java(aws: ControlPlane) -> None:  # noqa: ARG001
    store_secret({"username": "pin", "password": 'a "quoted" \\ one'})
    options = KafkaConnection("b-1:9096", security=Security.SCRAM, secret=SECRET, region="us-east-1").spark()
    assert options["kafka.sasl.jaas.config"] == (
        "org.apache.kafka.common.security.scram.ScramLoginModule required "
        'username="pin" password="a \\"quoted\\" \\\\ one";'
    )


def connection(security: Security) -> KafkaConnection:
    return KafkaConnection(bootstrap="b-1.pins:9098", security=security, region="us-east-1")


def test_iam_selects_the_mechanism_of_each_client(aws: ControlPlane, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: ARG001
    iam = connection(Security.IAM)
    assert iam.kafka_python()["sasl_mechanism"] == "AWS_MSK_IAM"
    assert iam.kafka_python()["security_protocol"] == "SASL_SSL"
    assert iam.librdkafka()["sasl.mechanism"] == "OAUTHBEARER"
    assert iam.spark()["kafka.sasl.jaas.config"] == "software.amazon.msk.auth.iam.IAMLoginModule required;"
    on_databricks = replace(iam, on_databricks=True).spark()
    assert on_databricks["kafka.sasl.jaas.config"].startswith("shadedmskiam.software.amazon.msk")


def presigned(host: str, credentials: Credentials) -> dict[str, str]:
    """Return the query parameters that botocore's signer creates for MSK's action by SigV4."""
    request = AWSRequest("GET", f"https://{host}/", params={"Action": "kafka-cluster:Connect"})
    SigV4QueryAuth(credentials, "kafka-cluster", "us-east-1", expires=900).add_auth(request)
    return {name: values[0] for name, values in parse_qs(urlsplit(request.url).query).items()}


@pytest.mark.parametrize("token", [None, "FwoGZXIvYXdzE=+/x"], ids=["long-lived", "of a role"])
def test_kafka_python_signs_like_botocore(token: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    host = "b-1.pins.0a1b2c.c2.kafka.us-east-1.amazonaws.com"
    credentials = Credentials("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", token)
    client = AwsMskIamClient(host, credentials.access_key, credentials.secret_key, "us-east-1", token)
    freeze_botocore_at(client, monkeypatch)
    payload = json.loads(client.first_message())
    expected = {name.lower(): value for name, value in presigned(host, credentials).items()}
    assert payload.pop("version") == "2020_10_22"
    assert payload.pop("host") == host
    assert payload.pop("user-agent")
    assert payload == expected


def freeze_botocore_at(client: AwsMskIamClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let botocore sign with the client's timestamp."""
    moment = datetime.strptime(client.timestamp, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    monkeypatch.setattr(auth, "get_current_datetime", lambda *_: moment.replace(tzinfo=None))


def test_kafka_python_signature_follows_the_published_rules() -> None:
    """Follow the steps of AWS's documentation: canonical request, string to sign, derived key, signature."""
    secret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"  # noqa: S105 - AWS's example
    payload = json.loads(AwsMskIamClient("b-1.pins", "AKIAIOSFODNN7EXAMPLE", secret, "us-east-1").first_message())
    date, region, service, end = payload["x-amz-credential"].split("/")[1:]
    query = (
        "Action=kafka-cluster%3AConnect&X-Amz-Algorithm=AWS4-HMAC-SHA256"
        f"&X-Amz-Credential={payload['x-amz-credential'].replace('/', '%2F')}"
        f"&X-Amz-Date={payload['x-amz-date']}&X-Amz-Expires=900&X-Amz-SignedHeaders=host"
    )
    empty = hashlib.sha256(b"").hexdigest()
    canonical = f"GET\n/\n{query}\nhost:b-1.pins\n\nhost\n{empty}"
    scope = f"{date}/{region}/{service}/{end}"
    digest = hashlib.sha256(canonical.encode()).hexdigest()
    to_sign = f"AWS4-HMAC-SHA256\n{payload['x-amz-date']}\n{scope}\n{digest}"
    key = f"AWS4{secret}".encode()
    for part in (date, region, service, end):
        key = hmac.digest(key, part.encode(), "sha256")
    assert payload["x-amz-signature"] == hmac.digest(key, to_sign.encode(), "sha256").hex()


def test_librdkafka_token_is_a_signed_request(aws: ControlPlane) -> None:  # noqa: ARG001
    callback: Callable[[str], Any] = connection(Security.IAM).librdkafka()["oauth_cb"]
    token, until = callback("")
    url = urlsplit(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)).decode())
    query = {name: values[0] for name, values in parse_qs(url.query).items()}
    assert url.hostname == "kafka.us-east-1.amazonaws.com"
    assert query["Action"] == "kafka-cluster:Connect"
    assert query["X-Amz-Expires"] == "900"
    assert until > 0


def test_librdkafka_requests_token_when_it_connects(aws: ControlPlane, secure_broker: SecureBroker) -> None:  # noqa: ARG001
    """The broker rejects the token, because it is not MSK's; the test checks that librdkafka requests one."""
    iam = KafkaConnection(
        secure_broker.secure, security=Security.IAM, region="us-east-1", ca_file=str(secure_broker.ca_file)
    )
    requests: list[str] = []

    def token(config: str) -> tuple[str, float]:
        requests.append(config)
        return iam._oauth_token(config)

    client = Client({**iam.librdkafka(), "oauth_cb": token})
    with pytest.raises(KafkaException):
        client.list_topics(timeout=5)
    assert requests


def test_kafka_python_consumer_authenticates_by_scram(msk: MskKafka) -> None:
    consumer = KafkaConsumer(**msk.connection().kafka_python())
    assert isinstance(consumer.topics(), set)
    consumer.close()
