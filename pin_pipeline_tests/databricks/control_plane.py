"""Fake Databricks workspace: the REST APIs that the pipeline calls, with runs that really execute."""

from __future__ import annotations

import threading
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from itertools import count
from queue import SimpleQueue
from typing import Any

from fastapi import APIRouter, Depends, FastAPI, Request, Response
from fastapi.responses import JSONResponse
from fastapi.security import HTTPBasic, HTTPBasicCredentials

from pin_pipeline_tests.databricks.api_error import WorkspaceApiError
from pin_pipeline_tests.databricks.catalog_api import Catalog, catalog_api
from pin_pipeline_tests.databricks.local_clusters import LaunchError, LocalClusters, TaskProcess

Json = dict[str, Any]
TRACEBACK = "Traceback (most recent call last):"
OAUTH = "/oidc"
RESTART_SECONDS = 0.2
DEFAULT_SETTINGS = {"timeout_seconds": 0, "email_notifications": {}, "format": "MULTI_TASK"}
"""Settings that Databricks adds to a job."""


def _now() -> int:
    return int(time.time() * 1000)


@dataclass
class WorkspaceRun:
    """A run with one task, whose run id is that of the run plus one."""

    run_id: int
    task: Json
    job_id: int | None = None
    name: str = ""
    started: int = field(default_factory=_now)
    process: TaskProcess | None = None
    cancelled: bool = False
    ended: threading.Event = field(default_factory=threading.Event)
    state: dict[str, str] = field(default_factory=lambda: {"life_cycle_state": "PENDING"})

    def execute(self, clusters: LocalClusters, started: SimpleQueue[WorkspaceRun]) -> None:
        """Run the task to its end."""
        try:
            self.process = clusters.start(self.run_id, self.task)
        except Exception as error:
            self._end("INTERNAL_ERROR", "FAILED", str(error))
            if not isinstance(error, LaunchError):  # a bug of this fake; the run has ended all the same
                raise
            return
        self.state = {"life_cycle_state": "RUNNING"}
        started.put(self)
        if self.cancelled:
            self.process.stop()
        code = self.process.popen.wait()
        if self.cancelled:
            self._end("TERMINATED", "CANCELED", "Run cancelled.")
        elif code:
            self._end("TERMINATED", "FAILED", "Workload failed, see run output for details")
        else:
            self._end("TERMINATED", "SUCCESS", "")

    def cancel(self) -> None:
        """Request the cancellation; the run ends later."""
        if not self.ended.is_set():
            self.cancelled = True
            if self.process:
                self.state = {"life_cycle_state": "TERMINATING"}
                threading.Thread(target=self.process.stop).start()

    def output(self) -> Json:
        """Return the output as the API does, with the error and the traceback of a failed task."""
        logs = self.process.output() if self.process else ""
        if self.state.get("result_state") != "FAILED" or TRACEBACK not in logs:
            return {"logs": logs}
        trace = TRACEBACK + logs.rpartition(TRACEBACK)[2]
        error = [line for line in trace.splitlines()[1:] if line and not line[0].isspace()]
        return {"logs": logs, "error": error[0], "error_trace": trace}

    def json(self, base: str) -> Json:
        """Return the run as the API does."""
        times = {"start_time": self.started, "setup_duration": 0, "state": self.state}
        task = {"run_id": self.run_id + 1, "task_key": self.task["task_key"], **times}
        url = f"{base}#job/run/{self.run_id}"
        run = {"run_id": self.run_id, "job_id": self.job_id, "run_name": self.name, "run_page_url": url}
        return {**run, "run_type": "JOB_RUN" if self.job_id else "SUBMIT_RUN", **times, "tasks": [task]}

    def _end(self, life_cycle: str, result: str, message: str) -> None:
        self.state = {"life_cycle_state": life_cycle, "result_state": result, "state_message": message}
        self.ended.set()


class Workspace:
    """The jobs and runs of a workspace. A continuous job that is not paused always has an active run.

    Attributes:
        started: the runs whose process has started, in the order of starting.
        listed: an entry for each time that the active runs were listed.
        catalog: the tables in Unity Catalog.
    """

    def __init__(self, clusters: LocalClusters) -> None:
        self.runs: dict[int, WorkspaceRun] = {}
        self.jobs: dict[int, Json] = {}
        self.started: SimpleQueue[WorkspaceRun] = SimpleQueue()
        self.listed: SimpleQueue[None] = SimpleQueue()
        self.catalog = Catalog()
        self._clusters = clusters
        self._tokens: dict[str, WorkspaceRun] = {}
        self._ids = count(1000, 10)
        self._lock = threading.RLock()
        self._closed = False

    def start(self, task: Json, token: str | None = None, job_id: int | None = None, name: str = "") -> WorkspaceRun:
        """Start a run, or return the existing run of the idempotency token."""
        with self._lock:
            if token in self._tokens:
                return self._tokens[token]
            run = WorkspaceRun(next(self._ids), task, job_id, name)
            self.runs[run.run_id] = run
            if token is not None:
                self._tokens[token] = run
        threading.Thread(target=self._supervise, args=(run,)).start()
        return run

    def create(self, settings: Json) -> int:
        """Create a job."""
        job_id = next(self._ids)
        self.jobs[job_id] = settings
        self.settle(job_id)
        return job_id

    def active(self, job_id: int) -> list[WorkspaceRun]:
        """Return the runs of a job that have not ended."""
        return [run for run in self.runs.values() if run.job_id == job_id and not run.ended.is_set()]

    def settle(self, job_id: int) -> None:
        """Start or cancel runs, so that a continuous job has a run unless it is paused."""
        with self._lock:
            active = self.active(job_id)
            should_run = self.jobs[job_id].get("continuous", {}).get("pause_status") == "UNPAUSED" and not self._closed
            if should_run and not active:
                self.start(self.jobs[job_id]["tasks"][0], job_id=job_id)
            if not should_run:
                for run in active:
                    run.cancel()

    def close(self) -> None:
        """Cancel all runs and wait for them."""
        self._closed = True
        for run in list(self.runs.values()):
            run.cancel()
        for run in list(self.runs.values()):
            run.ended.wait()

    def _supervise(self, run: WorkspaceRun) -> None:
        run.execute(self._clusters, self.started)
        if run.job_id is not None:
            time.sleep(RESTART_SECONDS)  # so that a job that fails at once is not restarted in a tight loop
            self.settle(run.job_id)


def create_app(workspace: Workspace, token: str, principal: tuple[str, str]) -> FastAPI:
    """Create the REST API; it requires the token, which a service principal gets with its client id and secret."""
    app = FastAPI()
    app.include_router(_oauth(token, principal), prefix=OAUTH)
    app.include_router(_runs(workspace), prefix="/api/2.2/jobs")
    app.include_router(_jobs(workspace), prefix="/api/2.2/jobs")
    app.include_router(catalog_api(workspace.catalog), prefix="/api/2.1/unity-catalog")

    @app.middleware("http")
    async def authenticate(request: Request, call: Callable[[Request], Awaitable[Response]]) -> Response:
        public = request.url.path.startswith(OAUTH)
        if not public and request.headers.get("authorization") != f"Bearer {token}":
            body = {"error_code": "UNAUTHENTICATED", "message": "Invalid access token."}
            return JSONResponse(body, HTTPStatus.UNAUTHORIZED)
        return await call(request)

    @app.exception_handler(WorkspaceApiError)
    def refuse(_: Request, error: WorkspaceApiError) -> Response:
        return JSONResponse(error.body, error.status)

    return app


def _oauth(token: str, principal: tuple[str, str]) -> APIRouter:
    api = APIRouter()

    @api.get("/.well-known/oauth-authorization-server")
    def endpoints(request: Request) -> Json:
        base = f"{request.base_url}{OAUTH.removeprefix('/')}"
        return {"authorization_endpoint": f"{base}/v1/authorize", "token_endpoint": f"{base}/v1/token"}

    @api.post("/v1/token")
    def issue(credentials: HTTPBasicCredentials = Depends(HTTPBasic())) -> Response:  # noqa: B008
        if (credentials.username, credentials.password) != principal:
            body = {"error": "invalid_client", "error_description": "Client authentication failed"}
            return JSONResponse(body, HTTPStatus.UNAUTHORIZED)
        return JSONResponse({"access_token": token, "token_type": "Bearer", "expires_in": 3600})

    return api


def _runs(workspace: Workspace) -> APIRouter:
    api = APIRouter()

    def find(run_id: int) -> WorkspaceRun:
        run = workspace.runs.get(run_id - run_id % 10)
        if run is None:
            raise WorkspaceApiError(HTTPStatus.BAD_REQUEST, "INVALID_PARAMETER_VALUE", f"Run {run_id} does not exist.")
        return run

    @api.post("/runs/submit")
    def submit(body: Json) -> Json:
        run = workspace.start(body["tasks"][0], body.get("idempotency_token"), name=body["run_name"])
        return {"run_id": run.run_id}

    @api.get("/runs/get")
    def get(request: Request, run: WorkspaceRun = Depends(find)) -> Json:  # noqa: B008
        return run.json(str(request.base_url))

    @api.get("/runs/get-output")
    def output(run: WorkspaceRun = Depends(find)) -> Json:  # noqa: B008
        return run.output()

    @api.post("/runs/cancel")
    def cancel(body: Json) -> Json:
        find(body["run_id"]).cancel()
        return {}

    @api.post("/runs/cancel-all")
    def cancel_all(body: Json) -> Json:
        for run in workspace.active(body["job_id"]):
            run.cancel()
        return {}

    @api.get("/runs/list")
    def list_runs(
        request: Request, job_id: int | None = None, run_type: str | None = None, active_only: str = "false"
    ) -> Json:
        workspace.listed.put(None)
        found = [run for run in workspace.runs.values() if active_only == "false" or not run.ended.is_set()]
        runs = [run.json(str(request.base_url)) for run in reversed(found) if job_id in {None, run.job_id}]
        return {"runs": [run for run in runs if run_type in {None, run["run_type"]}], "has_more": False}

    return api


def _jobs(workspace: Workspace) -> APIRouter:
    api = APIRouter()

    def find(job_id: int) -> Json:
        if job_id not in workspace.jobs:
            raise WorkspaceApiError(HTTPStatus.BAD_REQUEST, "INVALID_PARAMETER_VALUE", f"Job {job_id} does not exist.")
        return {"job_id": job_id, "settings": workspace.jobs[job_id]}

    @api.post("/create")
    def create(body: Json) -> Json:
        return {"job_id": workspace.create(DEFAULT_SETTINGS | body)}

    @api.post("/reset")
    def reset(body: Json) -> Json:
        return change(body["job_id"], DEFAULT_SETTINGS | body["new_settings"])

    @api.post("/update")
    def update(body: Json) -> Json:
        return change(body["job_id"], find(body["job_id"])["settings"] | body["new_settings"])

    @api.get("/get")
    def get(job: Json = Depends(find)) -> Json:  # noqa: B008
        return job

    @api.get("/list")
    def list_jobs(name: str | None = None) -> Json:
        listed = [job for job in map(find, workspace.jobs) if name in {None, job["settings"]["name"]}]
        return {"jobs": listed, "has_more": False}

    def change(job_id: int, settings: Json) -> Json:
        find(job_id)
        workspace.jobs[job_id] = settings
        workspace.settle(job_id)
        return {}

    return api
