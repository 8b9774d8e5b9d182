"""The sentence that a person reads when AWS refuses: what was tried, where, and what to do next."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import boto3
import pytest
from botocore.client import BaseClient
from botocore.config import Config
from botocore.stub import Stubber

from pin_pipeline.aws.errors import DENIED, THROTTLED, AwsError
from pin_pipeline.aws.kinesis import KinesisStreams
from pin_pipeline.aws.msk import Listener, bootstrap_brokers
from pin_pipeline.aws.secrets import Login, login
from pin_pipeline.emulator.source import with_login
from pin_pipeline.settings import Settings
from pin_pipeline.storage.object_keys import ObjectName
from pin_pipeline.storage.object_store import ObjectStore, StoreError
from pin_pipeline_tests.aws.conftest import ARN
from pin_pipeline_tests.aws.control_plane import ControlPlane, Refusal

LISTENER: Listener = "BootstrapBrokerStringSaslIam"
REGION = "us-east-1"
REFUSALS = {
    Refusal(429, "TooManyRequestsException", "Rate exceeded"): (
        "{call} operation (reached max retries: 0): Rate exceeded; AWS was asked too often: run it again in a minute, "
        "and raise the quota if it stays so"
    ),
    Refusal(403, "ExpiredTokenException", "The security token included in the request is expired"): (
        "{call} operation: The security token included in the request is expired; the credentials have expired: renew "
        "them (sign in again, or see that the role is still attached)"
    ),
    Refusal(403, "AccessDeniedException", "User is not authorized to perform this action"): (
        "{call} operation: User is not authorized to perform this action; the role may not do this: give it the "
        "action, or correct the name of what was asked for"
    ),
    Refusal(403, "UnrecognizedClientException", "The security token included in the request is invalid."): (
        "{call} operation: The security token included in the request is invalid.; AWS does not know these "
        "credentials: see which ones are found, by `aws sts get-caller-identity`"
    ),
}


@pytest.mark.parametrize(("refusal", "answer"), REFUSALS.items(), ids=[refusal.code for refusal in REFUSALS])
def test_a_refusal_says_what_was_tried_and_what_to_do(
    aws: ControlPlane, refusal: Refusal, answer: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    aws.refusal = refusal
    when = f"An error occurred ({refusal.code}) when calling the"
    with pytest.raises(AwsError) as told:
        bootstrap_brokers(ARN, LISTENER, REGION)
    tried = f"could not find the brokers of MSK cluster {ARN}: {when}"
    assert str(told.value) == f"{tried} {answer.format(call='GetBootstrapBrokers')}"
    monkeypatch.setenv("AWS_ENDPOINT_URL_SECRETS_MANAGER", aws.address)
    with pytest.raises(AwsError) as told:
        login("pins/source", REGION)
    tried = f"could not read secret pins/source of Secrets Manager: {when}"
    assert str(told.value) == f"{tried} {answer.format(call='GetSecretValue')}"


def test_a_cluster_that_was_not_named_is_asked_for(aws: ControlPlane) -> None:  # noqa: ARG001
    with pytest.raises(AwsError) as told:
        bootstrap_brokers("", LISTENER, REGION)
    assert str(told.value) == "PIN_MSK_CLUSTER_ARN is not set: set it to the ARN of the MSK cluster"


def test_a_cluster_that_is_not_there_is_named(aws: ControlPlane) -> None:  # noqa: ARG001
    with pytest.raises(AwsError) as told:
        bootstrap_brokers(ARN, LISTENER, REGION)
    assert str(told.value) == (
        f"could not find the brokers of MSK cluster {ARN}: An error occurred (NotFoundException) when calling the "
        "GetBootstrapBrokers operation: The requested cluster does not exist.; see that what was named is there, and "
        "that the credentials may do this"
    )


def test_a_cluster_without_brokers_says_which_listeners_it_has(aws: ControlPlane) -> None:
    aws.brokers[ARN] = {"BootstrapBrokerStringTls": "b-1:9094"}
    with pytest.raises(AwsError) as told:
        bootstrap_brokers(ARN, LISTENER, REGION)
    assert str(told.value) == (
        f"MSK cluster {ARN} has no brokers under BootstrapBrokerStringSaslIam (it has BootstrapBrokerStringTls): wait "
        "until the cluster is ACTIVE, and switch that authentication on, or set PIN_KAFKA_SECURITY to the one it has"
    )


def test_the_brokers_of_a_listener_are_found(aws: ControlPlane) -> None:
    aws.brokers[ARN] = {"BootstrapBrokerStringSaslIam": "b-1:9098,b-2:9098"}
    assert bootstrap_brokers(ARN, LISTENER, REGION) == "b-1:9098,b-2:9098"


def test_without_credentials_it_is_said_how_to_get_some(aws: ControlPlane, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: ARG001
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nowhere")
    with pytest.raises(AwsError) as told:
        bootstrap_brokers(ARN, LISTENER, REGION)
    assert str(told.value) == (
        f"could not find the brokers of MSK cluster {ARN}: Unable to locate credentials; there are no AWS credentials: "
        "attach a role, or sign in (`aws sso login`)"
    )


def test_a_missing_secret_is_named(aws: ControlPlane) -> None:  # noqa: ARG001
    with pytest.raises(AwsError) as told:
        login("no/such", REGION)
    assert str(told.value) == (
        "could not read secret no/such of Secrets Manager: An error occurred (ResourceNotFoundException) when calling "
        "the GetSecretValue operation: Secrets Manager can't find the specified secret.; see that what was named is "
        "there, and that the credentials may do this"
    )


@pytest.mark.parametrize(
    "content", ["hunter2", '{"user": "pin", "password": "hunter2"}', '"hunter2"', '{"username": 1}']
)
def test_a_secret_that_is_no_login_is_named_and_not_shown(aws: ControlPlane, content: str) -> None:  # noqa: ARG001
    secret = boto3.client("secretsmanager").create_secret(Name=f"odd/{abs(hash(content))}", SecretString=content)
    with pytest.raises(AwsError) as told:
        login(secret["ARN"], REGION)
    assert str(told.value) == (
        f'secret {secret["ARN"]} holds no login; expected JSON such as {{"username": ..., "password": ...}}'
    )
    assert told.value.__cause__ is None


def test_a_login_of_rds_goes_into_the_url_of_the_database(aws: ControlPlane) -> None:  # noqa: ARG001
    content = {"username": "pin", "password": "p@ss/w:rd", "engine": "mysql"}
    secret = boto3.client("secretsmanager").create_secret(Name="pins/rds", SecretString=json.dumps(content))
    user = login(secret["ARN"], REGION)
    assert (user, "p@ss" in repr(user)) == (Login("pin", "p@ss/w:rd"), False)
    assert with_login("mysql+pymysql://db.example/pinterest_data", user) == (
        "mysql+pymysql://pin:p%40ss%2Fw%3Ard@db.example/pinterest_data"
    )


def test_a_missing_bucket_is_told_with_what_to_do(settings: Settings) -> None:
    store = ObjectStore.of(replace(settings, bucket="no-such-bucket"))
    with pytest.raises(StoreError) as told:
        store.put_once(ObjectName("topics", "pins", 0, 0), b"{}\n")
    assert str(told.value) == (
        "could not write s3://no-such-bucket/topics/pins/partition=0/pins+0+0000000000.json at "
        f"{settings.s3_endpoint_url}: An error occurred (NoSuchBucket) when calling the PutObject operation: The "
        "specified bucket does not exist; there is no such bucket: create it, or set PIN_BUCKET"
    )


@pytest.mark.parametrize(
    ("code", "todo"),
    [
        ("SlowDown", THROTTLED),
        (
            "ExpiredToken",
            "the credentials have expired: renew them (sign in again, or see that the role is still attached)",
        ),
        ("AccessDenied", DENIED),
    ],
)
def test_a_refusal_of_s3_is_told_with_what_to_do(settings: Settings, code: str, todo: str) -> None:
    store = ObjectStore.of(settings)
    with Stubber(store.client) as stub:
        stub.add_client_error("get_object", code, "No.")
        with pytest.raises(StoreError) as told:
            store.read(ObjectName("topics", "pins", 0, 0))
    assert str(told.value) == (
        f"could not read s3://{settings.bucket}/topics/pins/partition=0/pins+0+0000000000.json at "
        f"{settings.s3_endpoint_url}: An error occurred ({code}) when calling the GetObject operation: No.; {todo}"
    )


def test_a_service_that_does_not_answer_is_told_with_its_address(settings: Settings) -> None:
    once = Config(retries={"total_max_attempts": 1}, connect_timeout=1)
    client: BaseClient = boto3.client("s3", endpoint_url="http://127.0.0.1:1", region_name=REGION, config=once)
    with pytest.raises(StoreError) as told:
        ObjectStore(client, settings.bucket).read(ObjectName("topics", "pins", 0, 0))
    assert str(told.value) == (
        f"could not read s3://{settings.bucket}/topics/pins/partition=0/pins+0+0000000000.json at http://127.0.0.1:1: "
        f'Could not connect to the endpoint URL: "http://127.0.0.1:1/{settings.bucket}/topics/pins/partition%3D0/'
        'pins%2B0%2B0000000000.json"; see that the address is right and can be reached from here (locally: '
        "`pin-pipeline status`)"
    )


def test_streams_are_made_once_described_and_watched(aws: ControlPlane, settings: Settings) -> None:  # noqa: ARG001
    streams = KinesisStreams(REGION, settings.kinesis_endpoint_url)
    stream = settings.stream("pin")
    assert (streams.create(stream, 2), streams.create(stream, 2)) == (True, False)
    described = streams.describe(stream)
    assert (described["StreamStatus"], described["OpenShardCount"]) == ("ACTIVE", 2)
    assert streams.iterator_age(stream) is None
    boto3.client("cloudwatch").put_metric_data(
        Namespace="AWS/Kinesis",
        MetricData=[
            {
                "MetricName": "GetRecords.IteratorAgeMilliseconds",
                "Dimensions": [{"Name": "StreamName", "Value": stream}],
                "Value": age,
                "Timestamp": datetime.now(UTC) - timedelta(seconds=90),
            }
            for age in (1500, 200)
        ],
    )
    assert streams.iterator_age(stream) == timedelta(seconds=1.5)


def test_a_stream_that_is_not_there_is_named(aws: ControlPlane, settings: Settings) -> None:  # noqa: ARG001
    with pytest.raises(AwsError, match=r"^could not describe Kinesis stream nowhere: .*ResourceNotFoundException"):
        KinesisStreams(REGION, settings.kinesis_endpoint_url).describe("nowhere")
