"""A Databricks workspace on this machine: the Jobs REST calls that `databricks-sdk` makes for us, and runs that run."""

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

from pin_pipeline_tests.databricks.machines import LaunchError, Machines, Process

Json = dict[str, Any]
TRACEBACK = "Traceback (most recent call last):"
OAUTH = "/oidc"
RESTART_SECONDS = 0.2
# What Databricks adds to the settings of a job.
DEFAULTS = {"timeout_seconds": 0, "email_notifications": {}, "format": "MULTI_TASK"}


def _now() -> int:
    return int(time.time() * 1000)


class ApiError(Exception):
    """What the workspace refuses."""

    def __init__(self, status: HTTPStatus, code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.body = status, {"error_code": code, "message": message}


@dataclass
class Run:
    """A run with its one task; the task has the run id that follows."""

    run_id: int
    task: Json
    job_id: int | None = None
    started: int = field(default_factory=_now)
    process: Process | None = None
    cancelled: bool = False
    ended: threading.Event = field(default_factory=threading.Event)
    state: dict[str, str] = field(default_factory=lambda: {"life_cycle_state": "PENDING"})

    def execute(self, machines: Machines, started: SimpleQueue[Run]) -> None:
        """Start the task, and wait for it."""
        try:
            self.process = machines.start(self.run_id, self.task)
        except Exception as error:
            self._end("INTERNAL_ERROR", "FAILED", str(error))
            if not isinstance(error, LaunchError):  # a mistake in the workspace itself; nobody must wait for its run
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
        """Have it end, some time later."""
        if not self.ended.is_set():
            self.cancelled = True
            if self.process:
                self.state = {"life_cycle_state": "TERMINATING"}
                threading.Thread(target=self.process.stop).start()

    def output(self) -> Json:
        """What the API calls so: of a task that failed, its error."""
        said = self.process.said() if self.process else ""
        if self.state.get("result_state") != "FAILED" or TRACEBACK not in said:
            return {"logs": said}
        trace = TRACEBACK + said.rpartition(TRACEBACK)[2]
        error = [line for line in trace.splitlines()[1:] if line and not line[0].isspace()]
        return {"logs": said, "error": error[0], "error_trace": trace}

    def json(self, base: str) -> Json:
        """As the API gives it."""
        times = {"start_time": self.started, "setup_duration": 0, "state": self.state}
        task = {"run_id": self.run_id + 1, "task_key": self.task["task_key"], **times}
        url = f"{base}#job/run/{self.run_id}"
        return {"run_id": self.run_id, "job_id": self.job_id, "run_page_url": url, **times, "tasks": [task]}

    def _end(self, life_cycle: str, result: str, message: str) -> None:
        self.state = {"life_cycle_state": life_cycle, "result_state": result, "state_message": message}
        self.ended.set()


class Workspace:
    """Jobs and runs. A continuous job that is not paused always has a run.

    Attributes:
        started: the runs whose process has started, in that order.
    """

    def __init__(self, machines: Machines) -> None:
        self.runs: dict[int, Run] = {}
        self.jobs: dict[int, Json] = {}
        self.started: SimpleQueue[Run] = SimpleQueue()
        self._machines = machines
        self._tokens: dict[str, Run] = {}
        self._ids = count(1000, 10)
        self._lock = threading.RLock()
        self._closed = False

    def start(self, task: Json, token: str | None = None, job_id: int | None = None) -> Run:
        """Start a run, unless the token's is there already."""
        with self._lock:
            if token in self._tokens:
                return self._tokens[token]
            run = Run(next(self._ids), task, job_id)
            self.runs[run.run_id] = run
            if token is not None:
                self._tokens[token] = run
        threading.Thread(target=self._supervise, args=(run,)).start()
        return run

    def create(self, settings: Json) -> int:
        """Make a job."""
        job_id = next(self._ids)
        self.jobs[job_id] = settings
        self.settle(job_id)
        return job_id

    def active(self, job_id: int) -> list[Run]:
        """The runs of a job that have not ended."""
        return [run for run in self.runs.values() if run.job_id == job_id and not run.ended.is_set()]

    def settle(self, job_id: int) -> None:
        """Start a continuous job that should run and does not; end one that should not."""
        with self._lock:
            active = self.active(job_id)
            wanted = self.jobs[job_id].get("continuous", {}).get("pause_status") == "UNPAUSED" and not self._closed
            if wanted and not active:
                self.start(self.jobs[job_id]["tasks"][0], job_id=job_id)
            if not wanted:
                for run in active:
                    run.cancel()

    def close(self) -> None:
        """Leave no process behind."""
        self._closed = True
        for run in list(self.runs.values()):
            run.cancel()
        for run in list(self.runs.values()):
            run.ended.wait()

    def _supervise(self, run: Run) -> None:
        run.execute(self._machines, self.started)
        if run.job_id is not None:
            time.sleep(RESTART_SECONDS)  # it must not restart what fails at once as fast as it can
            self.settle(run.job_id)


def create_app(workspace: Workspace, token: str, principal: tuple[str, str]) -> FastAPI:
    """The REST API of a workspace, for who has the token; a service principal gets it by its client id and secret."""
    app = FastAPI()
    app.include_router(_oauth(token, principal), prefix=OAUTH)
    app.include_router(_runs(workspace), prefix="/api/2.2/jobs")
    app.include_router(_jobs(workspace), prefix="/api/2.2/jobs")

    @app.middleware("http")
    async def authenticate(request: Request, call: Callable[[Request], Awaitable[Response]]) -> Response:
        public = request.url.path.startswith(OAUTH)
        if not public and request.headers.get("authorization") != f"Bearer {token}":
            body = {"error_code": "UNAUTHENTICATED", "message": "Invalid access token."}
            return JSONResponse(body, HTTPStatus.UNAUTHORIZED)
        return await call(request)

    @app.exception_handler(ApiError)
    def refuse(_: Request, error: ApiError) -> Response:
        return JSONResponse(error.body, error.status)

    return app


def _oauth(token: str, principal: tuple[str, str]) -> APIRouter:
    api = APIRouter()

    @api.get("/.well-known/oauth-authorization-server")
    def endpoints(request: Request) -> Json:
        base = f"{request.base_url}{OAUTH.removeprefix('/')}"
        return {"authorization_endpoint": f"{base}/v1/authorize", "token_endpoint": f"{base}/v1/token"}

    @api.post("/v1/token")
    def issue(given: HTTPBasicCredentials = Depends(HTTPBasic())) -> Response:  # noqa: B008
        if (given.username, given.password) != principal:
            body = {"error": "invalid_client", "error_description": "Client authentication failed"}
            return JSONResponse(body, HTTPStatus.UNAUTHORIZED)
        return JSONResponse({"access_token": token, "token_type": "Bearer", "expires_in": 3600})

    return api


def _runs(workspace: Workspace) -> APIRouter:
    api = APIRouter()

    def known(run_id: int) -> Run:
        run = workspace.runs.get(run_id - run_id % 10)
        if run is None:
            raise ApiError(HTTPStatus.BAD_REQUEST, "INVALID_PARAMETER_VALUE", f"Run {run_id} does not exist.")
        return run

    @api.post("/runs/submit")
    def submit(body: Json) -> Json:
        return {"run_id": workspace.start(body["tasks"][0], body.get("idempotency_token")).run_id}

    @api.get("/runs/get")
    def get(request: Request, run: Run = Depends(known)) -> Json:  # noqa: B008
        return run.json(str(request.base_url))

    @api.get("/runs/get-output")
    def output(run: Run = Depends(known)) -> Json:  # noqa: B008
        return run.output()

    @api.post("/runs/cancel")
    def cancel(body: Json) -> Json:
        known(body["run_id"]).cancel()
        return {}

    @api.post("/runs/cancel-all")
    def cancel_all(body: Json) -> Json:
        for run in workspace.active(body["job_id"]):
            run.cancel()
        return {}

    @api.get("/runs/list")
    def list_runs(request: Request, job_id: int, active_only: str = "false") -> Json:
        runs = [run for run in workspace.runs.values() if run.job_id == job_id]
        wanted = [run for run in runs if active_only == "false" or not run.ended.is_set()]
        return {"runs": [run.json(str(request.base_url)) for run in reversed(wanted)], "has_more": False}

    return api


def _jobs(workspace: Workspace) -> APIRouter:
    api = APIRouter()

    def known(job_id: int) -> Json:
        if job_id not in workspace.jobs:
            raise ApiError(HTTPStatus.BAD_REQUEST, "INVALID_PARAMETER_VALUE", f"Job {job_id} does not exist.")
        return {"job_id": job_id, "settings": workspace.jobs[job_id]}

    @api.post("/create")
    def create(body: Json) -> Json:
        return {"job_id": workspace.create(DEFAULTS | body)}

    @api.post("/reset")
    def reset(body: Json) -> Json:
        return change(body["job_id"], DEFAULTS | body["new_settings"])

    @api.post("/update")
    def update(body: Json) -> Json:
        return change(body["job_id"], known(body["job_id"])["settings"] | body["new_settings"])

    @api.get("/get")
    def get(job: Json = Depends(known)) -> Json:  # noqa: B008
        return job

    @api.get("/list")
    def list_jobs(name: str | None = None) -> Json:
        found = [job for job in map(known, workspace.jobs) if name in {None, job["settings"]["name"]}]
        return {"jobs": found, "has_more": False}

    def change(job_id: int, settings: Json) -> Json:
        known(job_id)
        workspace.jobs[job_id] = settings
        workspace.settle(job_id)
        return {}

    return api
