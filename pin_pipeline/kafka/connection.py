"""Kafka connection settings, rendered for each client library."""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import Any

from aws_msk_iam_sasl_signer import MSKAuthTokenProvider

from pin_pipeline.aws.msk import Listener, bootstrap_brokers
from pin_pipeline.aws.secrets import Credentials, read_credentials

BOOTSTRAP_TIMEOUT_MS = 10_000
"""Time within which a client outside the gateway must find a broker that accepts it."""
SCRAM = "SCRAM-SHA-512"
SCRAM_MODULE = "org.apache.kafka.common.security.scram.ScramLoginModule"
IAM_PACKAGE = "software.amazon.msk.auth.iam"


class Security(StrEnum):
    """Authentication of clients; SCRAM and IAM are over TLS."""

    PLAINTEXT = "plaintext"
    SCRAM = "scram"
    IAM = "iam"


LISTENERS: dict[Security, Listener] = {
    Security.PLAINTEXT: "BootstrapBrokerString",
    Security.SCRAM: "BootstrapBrokerStringSaslScram",
    Security.IAM: "BootstrapBrokerStringSaslIam",
}


@dataclass(frozen=True)
class KafkaConnection:
    """A cluster and the authentication of its clients. Brokers and credentials are read from AWS on first use.

    Attributes:
        bootstrap: bootstrap brokers; if empty, they are looked up by `cluster_arn`.
        cluster_arn: ARN of the MSK cluster.
        security: authentication of the client.
        secret: name or ARN of the secret with the SCRAM credentials.
        region: AWS region of the cluster and of the secret.
        ca_file: certificates (PEM) of the brokers' authority, if it is not a public one.
        on_databricks: whether the client is Spark on Databricks, which has Kafka's and AWS's classes under other names.
    """

    bootstrap: str = ""
    cluster_arn: str = ""
    security: Security = Security.PLAINTEXT
    secret: str = ""
    region: str = ""
    ca_file: str = ""
    on_databricks: bool = False

    @property
    def address(self) -> str:
        """Address of the cluster, for messages."""
        return self.bootstrap or self.cluster_arn or "PIN_MSK_CLUSTER_ARN (which is not set)"

    @cached_property
    def brokers(self) -> str:
        """Bootstrap brokers. Raises AwsError if AWS does not return them."""
        return self.bootstrap or bootstrap_brokers(self.cluster_arn, LISTENERS[self.security], self.region)

    def kafka_python(self) -> dict[str, Any]:
        """Return the arguments of kafka-python's clients. Raises AwsError if AWS does not return what they need."""
        plain = {"bootstrap_servers": self.brokers}
        if self.security is Security.PLAINTEXT:
            return plain
        secure = {**plain, "security_protocol": "SASL_SSL", "ssl_cafile": self.ca_file or None}
        if self.security is Security.IAM:
            return {**secure, "sasl_mechanism": "AWS_MSK_IAM"}
        credentials = self._credentials
        names = {"sasl_plain_username": credentials.username, "sasl_plain_password": credentials.password}
        return {**secure, "sasl_mechanism": SCRAM, **names}

    def librdkafka(self) -> dict[str, Any]:
        """Return the settings of confluent-kafka's clients. Raises AwsError if AWS does not return what they need."""
        plain = {"bootstrap.servers": self.brokers}
        if self.security is Security.PLAINTEXT:
            return plain
        secure = {**plain, "security.protocol": "SASL_SSL"}
        if self.ca_file:
            secure["ssl.ca.location"] = self.ca_file
        if self.security is Security.IAM:
            # librdkafka lacks the mechanism AWS_MSK_IAM; MSK accepts the signed request as an OAuth token as well.
            return {**secure, "sasl.mechanism": "OAUTHBEARER", "oauth_cb": self._oauth_token}
        credentials = self._credentials
        return {
            **secure,
            "sasl.mechanism": SCRAM,
            "sasl.username": credentials.username,
            "sasl.password": credentials.password,
        }

    def spark(self) -> dict[str, str]:
        """Return the options of Spark's Kafka source. Raises AwsError if AWS does not return what they need."""
        plain = {"kafka.bootstrap.servers": self.brokers}
        if self.security is Security.PLAINTEXT:
            return plain
        secure = {**plain, "kafka.security.protocol": "SASL_SSL"}
        if self.ca_file:
            secure |= {"kafka.ssl.truststore.type": "PEM", "kafka.ssl.truststore.location": self.ca_file}
        if self.security is Security.IAM:
            package = f"shadedmskiam.{IAM_PACKAGE}" if self.on_databricks else IAM_PACKAGE
            return {
                **secure,
                "kafka.sasl.mechanism": "AWS_MSK_IAM",
                "kafka.sasl.jaas.config": f"{package}.IAMLoginModule required;",
                "kafka.sasl.client.callback.handler.class": f"{package}.IAMClientCallbackHandler",
            }
        module = f"kafkashaded.{SCRAM_MODULE}" if self.on_databricks else SCRAM_MODULE
        credentials = self._credentials
        name, password = json.dumps(credentials.username), json.dumps(credentials.password)
        jaas = f"{module} required username={name} password={password};"
        return {**secure, "kafka.sasl.mechanism": SCRAM, "kafka.sasl.jaas.config": jaas}

    @property
    def _credentials(self) -> Credentials:
        return read_credentials(self.secret, self.region)

    def _oauth_token(self, _: str) -> tuple[str, float]:
        """Return a token for librdkafka and its expiry in seconds since the epoch."""
        token, milliseconds = MSKAuthTokenProvider.generate_auth_token(self.region)
        return token, milliseconds / 1000
