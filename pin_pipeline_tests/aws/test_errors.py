"""Messages of AWS errors: the failed operation, its target, and advice."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import boto3
import pytest
from botocore.client import BaseClient
from botocore.config import Config
from botocore.stub import Stubber

from pin_pipeline.aws.errors import DENIED, THROTTLED, AwsError
from pin_pipeline.aws.kinesis import KinesisStreams
from pin_pipeline.aws.msk import Listener, bootstrap_brokers
from pin_pipeline.aws.secrets import Credentials, read_credentials
from pin_pipeline.emulator.source import with_credentials
from pin_pipeline.settings import Settings
from pin_pipeline.storage.object_keys import ObjectName
from pin_pipeline.storage.object_store import ObjectStore, StoreError
from pin_pipeline_tests.aws.conftest import ARN
from pin_pipeline_tests.aws.control_plane import ControlPlane, Refusal

LISTENER: Listener = "BootstrapBrokerStringSaslIam"
REGION = "us-east-1"
REFUSALS = {
    Refusal(429, "TooManyRequestsException", "Rate exceeded"): (
        "{call} operation (reached max retries: 0): Rate exceeded; AWS throttled the request: try again in a minute, "
        "and raise the quota if it persists"
    ),
    Refusal(403, "ExpiredTokenException", "The security token included in the request is expired"): (
        "{call} operation: The security token included in the request is expired; the credentials have expired: renew "
        "them (sign in again, or check that the role is still attached)"
    ),
    Refusal(403, "AccessDeniedException", "User is not authorized to perform this action"): (
        "{call} operation: User is not authorized to perform this action; the role lacks the permission: allow "
        "the action, or correct the name of the resource"
    ),
    Refusal(403, "UnrecognizedClientException", "The security token included in the request is invalid."): (
        "{call} operation: The security token included in the request is invalid.; the credentials are invalid: "
        "check which ones are used (`aws sts get-caller-identity`)"
    ),
}


@pytest.mark.parametrize(("refusal", "message"), REFUSALS.items(), ids=[refusal.code for refusal in REFUSALS])
def test_aws_error_has_operation_and_advice(
    aws: ControlPlane, refusal: Refusal, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    aws.refusal = refusal
    cause = f"An error occurred ({refusal.code}) when calling the"
    with pytest.raises(AwsError) as caught:
        bootstrap_brokers(ARN, LISTENER, REGION)
    operation = f"could not find the brokers of MSK cluster {ARN}: {cause}"
    assert str(caught.value) == f"{operation} {message.format(call='GetBootstrapBrokers')}"
    monkeypatch.setenv("AWS_ENDPOINT_URL_SECRETS_MANAGER", aws.address)
    with pytest.raises(AwsError) as caught:
        read_credentials("pins/source", REGION)
    operation = f"could not read secret pins/source from Secrets Manager: {cause}"
    assert str(caught.value) == f"{operation} {message.format(call='GetSecretValue')}"


def test_missing_cluster_arn_is_an_error(aws: ControlPlane) -> None:  # noqa: ARG001
    with pytest.raises(AwsError) as caught:
        bootstrap_brokers("", LISTENER, REGION)
    assert str(caught.value) == "PIN_MSK_CLUSTER_ARN is not set: set it to the ARN of the MSK cluster"


def test_error_names_missing_cluster(aws: ControlPlane) -> None:  # noqa: ARG001
    with pytest.raises(AwsError) as caught:
        bootstrap_brokers(ARN, LISTENER, REGION)
    assert str(caught.value) == (
        f"could not find the brokers of MSK cluster {ARN}: An error occurred (NotFoundException) when calling the "
        "GetBootstrapBrokers operation: The requested cluster does not exist.; check that the resource exists, "
        "and that the credentials allow this"
    )


def test_error_names_missing_and_existing_listeners(aws: ControlPlane) -> None:
    aws.brokers[ARN] = {"BootstrapBrokerStringTls": "b-1:9094"}
    with pytest.raises(AwsError) as caught:
        bootstrap_brokers(ARN, LISTENER, REGION)
    assert str(caught.value) == (
        f"MSK cluster {ARN} has no BootstrapBrokerStringSaslIam, only BootstrapBrokerStringTls: wait until the cluster "
        "is ACTIVE, and enable this authentication, or set PIN_KAFKA_SECURITY to one that is enabled"
    )


def test_bootstrap_brokers_returns_brokers_of_listener(aws: ControlPlane) -> None:
    aws.brokers[ARN] = {"BootstrapBrokerStringSaslIam": "b-1:9098,b-2:9098"}
    assert bootstrap_brokers(ARN, LISTENER, REGION) == "b-1:9098,b-2:9098"


def test_error_without_credentials_advises_how_to_get_them(aws: ControlPlane, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: ARG001
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nowhere")
    with pytest.raises(AwsError) as caught:
        bootstrap_brokers(ARN, LISTENER, REGION)
    assert str(caught.value) == (
        f"could not find the brokers of MSK cluster {ARN}: Unable to locate credentials; no AWS credentials were "
        "found: attach a role, or sign in (`aws sso login`)"
    )


def test_error_names_missing_secret(aws: ControlPlane) -> None:  # noqa: ARG001
    with pytest.raises(AwsError) as caught:
        read_credentials("no/such", REGION)
    assert str(caught.value) == (
        "could not read secret no/such from Secrets Manager: An error occurred (ResourceNotFoundException) when "
        "calling the GetSecretValue operation: Secrets Manager can't find the specified secret.; check that the "
        "resource exists, and that the credentials allow this"
    )


@pytest.mark.parametrize(
    "content", ["hunter2", '{"user": "pin", "password": "hunter2"}', '"hunter2"', '{"username": 1}']
)
def test_error_names_secret_without_credentials_and_hides_content(aws: ControlPlane, content: str) -> None:  # noqa: ARG001
    secret = boto3.client("secretsmanager").create_secret(Name=f"odd/{abs(hash(content))}", SecretString=content)
    with pytest.raises(AwsError) as caught:
        read_credentials(secret["ARN"], REGION)
    assert str(caught.value) == (
        f"secret {secret['ARN']} does not contain credentials: expected JSON such as "
        '{"username": ..., "password": ...}'
    )
    assert caught.value.__cause__ is None


def test_rds_credentials_are_added_to_database_url(aws: ControlPlane) -> None:  # noqa: ARG001
    content = {"username": "pin", "password": "p@ss/w:rd", "engine": "mysql"}
    secret = boto3.client("secretsmanager").create_secret(Name="pins/rds", SecretString=json.dumps(content))
    credentials = read_credentials(secret["ARN"], REGION)
    assert (credentials, "p@ss" in repr(credentials)) == (Credentials("pin", "p@ss/w:rd"), False)
    assert with_credentials("mysql+pymysql://db.example/pinterest_data", credentials) == (
        "mysql+pymysql://pin:p%40ss%2Fw%3Ard@db.example/pinterest_data"
    )


def test_error_names_missing_bucket_with_advice(settings: Settings) -> None:
    store = ObjectStore.of(settings.model_copy(update={"bucket": "no-such-bucket"}))
    with pytest.raises(StoreError) as caught:
        store.put_once(ObjectName("topics", "pins", 0, 0), b"{}\n")
    assert str(caught.value) == (
        "could not write s3://no-such-bucket/topics/pins/partition=0/pins+0+0000000000.json at "
        f"{settings.s3_endpoint_url}: An error occurred (NoSuchBucket) when calling the PutObject operation: The "
        "specified bucket does not exist; create the bucket, or set PIN_BUCKET to an existing one"
    )


@pytest.mark.parametrize(
    ("code", "advice"),
    [
        ("SlowDown", THROTTLED),
        (
            "ExpiredToken",
            "the credentials have expired: renew them (sign in again, or check that the role is still attached)",
        ),
        ("AccessDenied", DENIED),
    ],
)
def test_s3_error_has_operation_and_advice(settings: Settings, code: str, advice: str) -> None:
    store = ObjectStore.of(settings)
    with Stubber(store.client) as stub:
        stub.add_client_error("get_object", code, "No.")
        with pytest.raises(StoreError) as caught:
            store.read(ObjectName("topics", "pins", 0, 0))
    assert str(caught.value) == (
        f"could not read s3://{settings.bucket}/topics/pins/partition=0/pins+0+0000000000.json at "
        f"{settings.s3_endpoint_url}: An error occurred ({code}) when calling the GetObject operation: No.; {advice}"
    )


def test_error_names_address_of_unreachable_service(settings: Settings) -> None:
    once = Config(retries={"total_max_attempts": 1}, connect_timeout=1)
    client: BaseClient = boto3.client("s3", endpoint_url="http://127.0.0.1:1", region_name=REGION, config=once)
    with pytest.raises(StoreError) as caught:
        ObjectStore(client, settings.bucket).read(ObjectName("topics", "pins", 0, 0))
    assert str(caught.value) == (
        f"could not read s3://{settings.bucket}/topics/pins/partition=0/pins+0+0000000000.json at http://127.0.0.1:1: "
        f'Could not connect to the endpoint URL: "http://127.0.0.1:1/{settings.bucket}/topics/pins/partition%3D0/'
        'pins%2B0%2B0000000000.json"; check that the address is correct and reachable (locally: '
        "`pin-pipeline status`)"
    )


def test_kinesis_streams_creates_describes_and_reports_iterator_age(aws: ControlPlane, settings: Settings) -> None:  # noqa: ARG001
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


def test_error_names_missing_stream(aws: ControlPlane, settings: Settings) -> None:  # noqa: ARG001
    with pytest.raises(AwsError, match=r"^could not describe Kinesis stream nowhere: .*ResourceNotFoundException"):
        KinesisStreams(REGION, settings.kinesis_endpoint_url).describe("nowhere")
