"""The brokers of an MSK cluster."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import boto3

from pin_pipeline.aws.errors import AwsError, asking

if TYPE_CHECKING:
    from mypy_boto3_kafka.client import KafkaClient

Listener = Literal["BootstrapBrokerString", "BootstrapBrokerStringSaslScram", "BootstrapBrokerStringSaslIam"]


def bootstrap_brokers(cluster_arn: str, listener: Listener, region: str) -> str:
    """The brokers to ask first, host:port, separated by commas.

    Args:
        cluster_arn: of the cluster.
        listener: by which of its listeners, as the service's answer names them.
        region: of the cluster.

    Raises:
        AwsError: there is no such cluster, or it has no such listener.
    """
    if not cluster_arn:
        raise AwsError("PIN_MSK_CLUSTER_ARN is not set: set it to the ARN of the MSK cluster")
    with asking(f"find the brokers of MSK cluster {cluster_arn}"):
        client: KafkaClient = boto3.client("kafka", region_name=region or None)
        answer = client.get_bootstrap_brokers(ClusterArn=cluster_arn)
    brokers = answer.get(listener)
    if not brokers:
        found = ", ".join(sorted(name for name in answer if name.startswith("BootstrapBrokerString"))) or "none"
        raise AwsError(
            f"MSK cluster {cluster_arn} has no brokers under {listener} (it has {found}): wait until the cluster is "
            "ACTIVE, and switch that authentication on, or set PIN_KAFKA_SECURITY to the one it has"
        )
    return str(brokers)
