"""Bootstrap brokers of an MSK cluster."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pin_pipeline.aws import clients
from pin_pipeline.aws.errors import AwsError, translate_errors

if TYPE_CHECKING:
    from mypy_boto3_kafka.client import KafkaClient

Listener = Literal["BootstrapBrokerString", "BootstrapBrokerStringSaslScram", "BootstrapBrokerStringSaslIam"]


def bootstrap_brokers(cluster_arn: str, listener: Listener, region: str) -> str:
    """Return the bootstrap brokers of a cluster, as a comma-separated list of host:port.

    Args:
        cluster_arn: ARN of the cluster.
        listener: listener to connect to, under its name in the response of the service.
        region: AWS region of the cluster; empty for boto3's default.

    Raises:
        AwsError: the cluster does not exist, or does not have this listener.
    """
    if not cluster_arn:
        raise AwsError("PIN_MSK_CLUSTER_ARN is not set: set it to the ARN of the MSK cluster")
    with translate_errors(f"find the brokers of MSK cluster {cluster_arn}"):
        client: KafkaClient = clients.client("kafka", region)
        response = client.get_bootstrap_brokers(ClusterArn=cluster_arn)
    brokers = response.get(listener)
    if not brokers:
        found = ", ".join(sorted(name for name in response if name.startswith("BootstrapBrokerString"))) or "none"
        raise AwsError(
            f"MSK cluster {cluster_arn} has no {listener}, only {found}: wait until the cluster is ACTIVE, and enable "
            "this authentication, or set PIN_KAFKA_SECURITY to one that is enabled"
        )
    return str(brokers)
