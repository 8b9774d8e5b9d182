"""Supervisor on a real Dagster instance, with ticks like those of the daemon."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

import dagster as dg
from dagster_aws.s3 import S3Resource

from pin_pipeline.defs.assets.realtime import realtime_tables
from pin_pipeline.defs.assets.streams import stream_tables
from pin_pipeline.defs.checks.stream_health import stream_health
from pin_pipeline.defs.jobs import start_streams, stop_streams
from pin_pipeline.defs.resources.interfaces import LakeResource, StreamingJobsResource
from pin_pipeline.defs.sensors import stream_supervisor
from pin_pipeline.defs.stream_supervisor import SUPERVISED
from pin_pipeline.settings import Settings
from pin_pipeline.streaming.jobs import STREAMING_JOBS

PIN = dg.AssetKey(["streams", "pin"])


@dataclass
class Supervisor(ABC):
    """Supervisor of streaming jobs, on any platform."""

    settings: Settings
    instance: dg.DagsterInstance

    @abstractmethod
    def streaming_jobs(self) -> StreamingJobsResource:
        """Return the platform that runs the jobs."""

    @property
    def resources(self) -> dict[str, Any]:
        s3 = S3Resource(endpoint_url=self.settings.s3_endpoint_url, region_name=self.settings.region)
        return {"streaming_jobs": self.streaming_jobs(), "lake": LakeResource(s3=s3, bucket=self.settings.bucket)}

    @property
    def defs(self) -> dg.Definitions:
        return dg.Definitions(
            assets=[*stream_tables, *realtime_tables],
            asset_checks=[stream_health],
            jobs=[start_streams, stop_streams],
            sensors=[stream_supervisor],
            resources=self.resources,
            executor=dg.in_process_executor,
        )

    def evaluate(self, cursor: str | None = None) -> Any:
        """Evaluate a tick and return its requests and events, none of which is executed or stored."""
        with dg.build_sensor_context(
            self.instance, cursor, repository_def=self.defs.get_repository_def(), resources=self.resources
        ) as context:
            return stream_supervisor.evaluate_tick(context)

    def tick(self) -> list[Any]:
        """Evaluate a tick, store its events and execute its runs as the daemon does, and return the events."""
        data = self.evaluate()
        for event in data.asset_events:
            self.instance.report_runless_asset_event(event)
        for request in data.run_requests:
            assert request.run_config is not None
            self.run(request.job_name, request.tags, **request.run_config)
        return list(data.asset_events)

    def run(self, job: str, tags: Any = None, **config: Any) -> None:
        executed = self.defs.resolve_job_def(job).execute_in_process(config, self.instance, tags=tags)
        assert executed.success

    def start(self, *jobs: str, supervised: bool = False) -> None:
        tags = {SUPERVISED: "yes"} if supervised else None
        self.run("start_streams", tags, ops={"start": {"config": {"jobs": [*jobs] or [*STREAMING_JOBS]}}})

    def stop(self, *jobs: str) -> None:
        self.run("stop_streams", ops={"stop": {"config": {"jobs": [*jobs] or [*STREAMING_JOBS]}}})

    def checks(self, table: dg.AssetKey = PIN) -> dict[str, tuple[bool, str]]:
        """Return by name whether the latest evaluation of each check passed, and the state that it reported."""
        keys = [dg.AssetCheckKey(table, name) for name in ("running", "lag")]
        records = self.instance.event_log_storage.get_latest_asset_check_execution_by_key(keys)
        events = [record.event.asset_check_evaluation for record in records.values() if record.event]
        return {event.check_name: (event.passed, str(event.metadata["state"].value)) for event in events if event}

    def metadata(self, name: str, table: dg.AssetKey = PIN) -> str:
        """Return a metadata value of the latest evaluation of the check `running`."""
        key = dg.AssetCheckKey(table, "running")
        record = self.instance.event_log_storage.get_latest_asset_check_execution_by_key([key])[key]
        assert record.event
        assert record.event.asset_check_evaluation
        return str(record.event.asset_check_evaluation.metadata[name].value)
