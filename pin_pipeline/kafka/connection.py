"""How Kafka is reached: settled once, and told to each of its clients in the words that it has for it."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import Any

from aws_msk_iam_sasl_signer import MSKAuthTokenProvider

from pin_pipeline.aws.msk import Listener, bootstrap_brokers
from pin_pipeline.aws.secrets import Login, login

# How long a client that nobody waits for by HTTP looks for a broker that takes it.
BOOTSTRAP_MILLISECONDS = 10_000
SCRAM = "SCRAM-SHA-512"
# Databricks keeps its Kafka client and AWS's library under names of their own.
ON_DATABRICKS = "DATABRICKS_RUNTIME_VERSION"
SCRAM_MODULE = "org.apache.kafka.common.security.scram.ScramLoginModule"
IAM_PACKAGE = "software.amazon.msk.auth.iam"


class Security(StrEnum):
    """How a client shows who it is."""

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
    """A cluster, and how to sign in there. What AWS knows of it, it is asked for when it is first needed.

    Attributes:
        bootstrap: brokers to ask first; empty where the cluster's ARN is to be asked for them.
        cluster_arn: of the MSK cluster.
        security: over TLS, unless it is plain text.
        secret: of Secrets Manager, with the login for SCRAM.
        region: of the cluster and the secret.
        ca_file: certificates (PEM) that the brokers' are signed by, where no public authority did.
    """

    bootstrap: str = ""
    cluster_arn: str = ""
    security: Security = Security.PLAINTEXT
    secret: str = ""
    region: str = ""
    ca_file: str = ""

    @property
    def place(self) -> str:
        """Where it is, for a person to read."""
        return self.bootstrap or self.cluster_arn or "PIN_MSK_CLUSTER_ARN (which is not set)"

    @cached_property
    def brokers(self) -> str:
        """The brokers to ask first. Raises AwsError where AWS does not tell them."""
        return self.bootstrap or bootstrap_brokers(self.cluster_arn, LISTENERS[self.security], self.region)

    def kafka_python(self) -> dict[str, Any]:
        """Arguments of kafka-python's clients. Raises AwsError where AWS does not tell what it needs."""
        where = {"bootstrap_servers": self.brokers}
        if self.security is Security.PLAINTEXT:
            return where
        secure = {**where, "security_protocol": "SASL_SSL", "ssl_cafile": self.ca_file or None}
        if self.security is Security.IAM:
            return {**secure, "sasl_mechanism": "AWS_MSK_IAM"}
        user = self._login
        names = {"sasl_plain_username": user.username, "sasl_plain_password": user.password}
        return {**secure, "sasl_mechanism": SCRAM, **names}

    def librdkafka(self) -> dict[str, Any]:
        """Settings of confluent-kafka's clients. Raises AwsError where AWS does not tell what it needs."""
        where = {"bootstrap.servers": self.brokers}
        if self.security is Security.PLAINTEXT:
            return where
        secure = {**where, "security.protocol": "SASL_SSL"}
        if self.ca_file:
            secure["ssl.ca.location"] = self.ca_file
        if self.security is Security.IAM:
            # The library has no mechanism of MSK's own; MSK takes the signed request as an OAuth token as well.
            return {**secure, "sasl.mechanism": "OAUTHBEARER", "oauth_cb": self._token}
        user = self._login
        return {**secure, "sasl.mechanism": SCRAM, "sasl.username": user.username, "sasl.password": user.password}

    def spark(self) -> dict[str, str]:
        """Options of Spark's Kafka source. Raises AwsError where AWS does not tell what it needs."""
        where = {"kafka.bootstrap.servers": self.brokers}
        if self.security is Security.PLAINTEXT:
            return where
        secure = {**where, "kafka.security.protocol": "SASL_SSL"}
        if self.ca_file:
            secure |= {"kafka.ssl.truststore.type": "PEM", "kafka.ssl.truststore.location": self.ca_file}
        if self.security is Security.IAM:
            package = f"shadedmskiam.{IAM_PACKAGE}" if ON_DATABRICKS in os.environ else IAM_PACKAGE
            return {
                **secure,
                "kafka.sasl.mechanism": "AWS_MSK_IAM",
                "kafka.sasl.jaas.config": f"{package}.IAMLoginModule required;",
                "kafka.sasl.client.callback.handler.class": f"{package}.IAMClientCallbackHandler",
            }
        module = f"kafkashaded.{SCRAM_MODULE}" if ON_DATABRICKS in os.environ else SCRAM_MODULE
        user = self._login
        name, password = json.dumps(user.username), json.dumps(user.password)
        jaas = f"{module} required username={name} password={password};"
        return {**secure, "kafka.sasl.mechanism": SCRAM, "kafka.sasl.jaas.config": jaas}

    @property
    def _login(self) -> Login:
        return login(self.secret, self.region)

    def _token(self, _: str) -> tuple[str, float]:
        """A token for librdkafka, and until when it holds, in epoch seconds."""
        token, milliseconds = MSKAuthTokenProvider.generate_auth_token(self.region)
        return token, milliseconds / 1000
