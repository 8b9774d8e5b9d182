"""Streaming jobs that a user has stopped, so that the supervisor of a new home does not start them."""

from __future__ import annotations

import os
import uuid
from pathlib import Path
from unittest.mock import patch

import dagster as dg

from pin_pipeline.defs.stream_supervisor import job_tag
from pin_pipeline.local.dagster_ui import dagster_home
from pin_pipeline.streaming.jobs import STREAMING_JOBS
from pin_pipeline.streaming.supervision.decision import Verb


def stop_streams(home: Path) -> str:
    """Record a run that stopped the streaming jobs of a home, and return its id."""
    folder, run_id = str(dagster_home(home)), str(uuid.uuid4())
    tags = {job_tag(job): Verb.STOP.value for job in STREAMING_JOBS}
    with patch.dict(os.environ, DAGSTER_HOME=folder), dg.DagsterInstance.from_config(folder) as instance:
        instance.add_run(dg.DagsterRun("stop_streams", run_id, status=dg.DagsterRunStatus.SUCCESS, tags=tags))
    return run_id
