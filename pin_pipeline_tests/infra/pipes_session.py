"""A session of Dagster Pipes over S3, with separate clients for Dagster and for the remote run."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import dagster as dg
from dagster_aws.pipes import PipesS3ContextInjector, PipesS3MessageReader
from dagster_pipes import PipesContext, PipesMappingParamsLoader, PipesS3ContextLoader, PipesS3MessageWriter

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client


def run_pipes_session(dagster_client: "S3Client", remote_client: "S3Client", bucket: str) -> None:
    """Materialize an asset whose remote run reports through the bucket."""

    @dg.asset
    def remote(context: dg.AssetExecutionContext) -> Iterator[dg.MaterializeResult[Any] | dg.AssetCheckResult]:
        injector = PipesS3ContextInjector(bucket=bucket, client=dagster_client)
        reader = PipesS3MessageReader(bucket=bucket, client=dagster_client, interval=0.1)
        with dg.open_pipes_session(context, injector, reader) as session:
            parameters = PipesMappingParamsLoader(session.get_bootstrap_env_vars())
            loader, writer = PipesS3ContextLoader(remote_client), PipesS3MessageWriter(remote_client, interval=0.1)
            with PipesContext(parameters, loader, writer) as pipes:
                pipes.report_asset_materialization(metadata={"rows": 1})
        yield from session.get_results()

    assert dg.materialize([remote]).asset_materializations_for_node("remote")[0].metadata["rows"].value == 1
