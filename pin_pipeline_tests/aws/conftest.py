"""A broker with TLS and SCRAM, and emulators of the AWS services."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path

import boto3
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from moto.server import ThreadedMotoServer

from pin_pipeline.kafka.connection import SCRAM_MODULE
from pin_pipeline.local import jars, kafka, ports
from pin_pipeline.local.server import ServerProcess, ServerSpec
from pin_pipeline.spark.java import find_java
from pin_pipeline_tests.aws.control_plane import ControlPlane

ARN = "arn:aws:kafka:us-east-1:123456789012:cluster/pins/0a1b2c3d-4e5f-6789-abcd-ef0123456789-1"
USER, PASSWORD = "pin", "scram p4ss+/=%word"
SECURE = """\
listeners=BROKER://{host}:{port},SECURE://{host}:{secure},CONTROLLER://{host}:{controller}
listener.security.protocol.map=BROKER:PLAINTEXT,SECURE:SASL_SSL,CONTROLLER:PLAINTEXT
sasl.enabled.mechanisms=SCRAM-SHA-512
listener.name.secure.scram-sha-512.sasl.jaas.config={module} required;
ssl.keystore.type=PEM
ssl.keystore.location={keystore}
"""


@dataclass(frozen=True)
class SecureBroker:
    """Addresses of a broker's listeners, and its certificate."""

    plain: str
    secure: str
    ca_file: Path


@pytest.fixture(scope="session")
def secure_broker(clean_environment: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecureBroker]:  # noqa: ARG001
    """Run a real broker whose second listener requires TLS and SCRAM."""
    home = tmp_path_factory.mktemp("secure")
    ca_file, keystore = _certificate(home)
    port = ports.free_port()
    where = {
        "host": ports.HOST,
        "port": port,
        "secure": ports.free_port(),
        "controller": ports.free_port(),
    }
    lines = kafka.PROPERTIES.format(**where).splitlines()
    listeners = SECURE.format(**where, keystore=keystore, module=SCRAM_MODULE)
    replaced = {line.partition("=")[0] for line in listeners.splitlines()}
    properties = home / "server.properties"
    properties.write_text("\n".join([line for line in lines if line.partition("=")[0] not in replaced] + [listeners]))
    java = [find_java(), "-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp", f"{jars.ensure('kafka')}/*"]
    scram = f'SCRAM-SHA-512=[name={USER},password="{PASSWORD}"]'
    make = [*java, "kafka.tools.StorageTool", "format", "-t", kafka.CLUSTER_ID, "-c", str(properties)]
    subprocess.run([*make, "--add-scram", scram], check=True, capture_output=True, timeout=120, cwd=home)
    plain, secure = f"{ports.HOST}:{where['port']}", f"{ports.HOST}:{where['secure']}"
    command = [*java, "kafka.Kafka", str(properties)]
    server = ServerSpec("kafka", plain, port, command, {}, lambda: kafka._is_ready(plain))
    process = ServerProcess(home, "kafka")
    process.start(server)
    try:
        process.wait_until_ready(server)
        yield SecureBroker(plain, secure, ca_file)
    finally:
        process.stop()


def _certificate(folder: Path) -> tuple[Path, Path]:
    """Create a self-signed certificate for this machine; return the files of the certificate and of the keystore."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(IPv4Address(ports.HOST))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = certificate.public_bytes(serialization.Encoding.PEM)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    ca_file, keystore = folder / "ca.pem", folder / "broker.pem"
    ca_file.write_bytes(pem)
    keystore.write_bytes(private + pem)
    return ca_file, keystore


@pytest.fixture(scope="session")
def moto() -> Iterator[str]:
    """Run moto's server: Secrets Manager, CloudWatch and other services."""
    port = ports.free_port()
    server = ThreadedMotoServer(ports.HOST, port, verbose=False)
    server.start()
    yield f"http://{ports.HOST}:{port}"
    server.stop()


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch, moto: str, clean_environment: None) -> Iterator[ControlPlane]:  # noqa: ARG001
    """Set up an account: credentials, a region, moto's services, and the control planes of MSK and MSK Connect."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    with ControlPlane.running() as control_plane:
        variables = {
            "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE",
            "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
            "AWS_REGION": "us-east-1",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_MAX_ATTEMPTS": "1",
            "AWS_ENDPOINT_URL_SECRETS_MANAGER": moto,
            "AWS_ENDPOINT_URL_CLOUDWATCH": moto,
            "AWS_ENDPOINT_URL_KAFKA": control_plane.address,
            "AWS_ENDPOINT_URL_KAFKACONNECT": control_plane.address,
        }
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        boto3.DEFAULT_SESSION = None
        yield control_plane
        boto3.DEFAULT_SESSION = None
