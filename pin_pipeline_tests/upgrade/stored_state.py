"""Stored state of a local environment, read with the clients of its stores: no code of the pipeline is used."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import boto3
import dagster as dg
import psycopg
import pyarrow as pa
from deltalake import DeltaTable, QueryBuilder
from psycopg import sql

CREDENTIALS = {"aws_access_key_id": "local", "aws_secret_access_key": "local"}
ROWS = {"quarantine/summary": "select distinct kind, source, reason from t"}
"""Rows of a table that do not depend on the day of the test; of other tables, all rows."""
UNSTABLE_OFFSETS = {"read_at"}
"""Entries of a query's offsets that depend on the time at which it ran."""


@dataclass(frozen=True)
class StoredState:
    """Stored state of one environment.

    Attributes:
        home: value of PIN_HOME.
        variables: settings, as `pin-pipeline env` prints them.
    """

    home: Path
    variables: Mapping[str, str]

    def landed_objects(self) -> dict[str, int]:
        """Return the number of records in each landed object, by key. An object has one line per record."""
        keys = [key for key in self._keys() if not key.startswith(("lake/", "streams/"))]
        return {key: self._read(key).count(b"\n") for key in keys}

    def heartbeats(self) -> dict[str, dict[str, Any]]:
        """Return the heartbeat of each streaming job, by key."""
        return {key: json.loads(self._read(key)) for key in self._keys("streams/heartbeats/")}

    def delta_tables(self) -> dict[str, dict[str, Any]]:
        """Return the rows of each Delta table, and those of a quarantine table by reason as well, by asset key."""
        logs = [key.partition("/_delta_log/") for key in self._keys("lake/")]
        keys = sorted({path.removeprefix("lake/") for path, separator, _ in logs if separator})
        return {key: self._delta_rows(key) for key in keys}

    def commit_metadata(self, key: str) -> dict[str, Any]:
        """Return the metadata of a Delta table's last commit."""
        [commit] = self._delta_table(key).history(limit=1)
        metadata: dict[str, Any] = json.loads(commit["userMetadata"])
        return metadata

    def postgres_tables(self) -> dict[str, dict[str, Any]]:
        """Return the rows of each table and view, and those of a quarantine table by reason as well, by name."""
        with psycopg.connect(self.variables["PIN_POSTGRES_URL"]) as connection:
            relations = "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public' ORDER BY 1"
            return {name: _postgres_rows(connection, name) for (name,) in connection.execute(relations).fetchall()}

    def checkpoints(self) -> dict[str, dict[str, Any]]:
        """Return the last offsets in each checkpoint folder."""
        root = self.home / "checkpoints"
        folders = sorted(path.parent for path in root.rglob("offsets") if path.is_dir())
        return {str(folder.relative_to(root)): _last_offsets(folder) for folder in folders}

    @contextmanager
    def dagster(self) -> Iterator[dg.DagsterInstance]:
        """Open the Dagster instance."""
        with dg.DagsterInstance.from_config(str(self.home / "dagster")) as instance:
            yield instance

    def last_run(self, job: str) -> dg.DagsterRun:
        """Return the last run of a Dagster job."""
        with self.dagster() as instance:
            [run] = instance.get_runs(dg.RunsFilter(job_name=job), limit=1)
            return run

    def evaluations(self, run: dg.DagsterRun) -> dict[str, dict[str, dg.AssetCheckEvaluation]]:
        """Return the check evaluations of a run, by asset key and name of the check."""
        evaluations: dict[str, dict[str, dg.AssetCheckEvaluation]] = {}
        with self.dagster() as instance:
            for event in instance.all_logs(run.run_id, of_type=dg.DagsterEventType.ASSET_CHECK_EVALUATION):
                evaluation = event.asset_check_evaluation
                assert evaluation
                evaluations.setdefault(evaluation.asset_key.to_user_string(), {})[evaluation.check_name] = evaluation
        return evaluations

    def materialization(self, key: str) -> dict[str, Any]:
        """Return the metadata of an asset's last materialization."""
        with self.dagster() as instance:
            event = instance.get_latest_materialization_event(dg.AssetKey.from_user_string(key))
            assert event
            assert event.asset_materialization
            return {name: entry.value for name, entry in event.asset_materialization.metadata.items()}

    @cached_property
    def _s3(self) -> Any:
        endpoint, region = self.variables["PIN_S3_ENDPOINT_URL"], self.variables["AWS_REGION"]
        return boto3.client("s3", endpoint_url=endpoint, region_name=region, **CREDENTIALS)

    def _keys(self, prefix: str = "") -> list[str]:
        pages = self._s3.get_paginator("list_objects_v2").paginate(Bucket=self.variables["PIN_BUCKET"], Prefix=prefix)
        return [entry["Key"] for page in pages for entry in page.get("Contents", [])]

    def _read(self, key: str) -> bytes:
        body: bytes = self._s3.get_object(Bucket=self.variables["PIN_BUCKET"], Key=key)["Body"].read()
        return body

    def _delta_table(self, key: str) -> DeltaTable:
        options = {
            **CREDENTIALS,
            "aws_endpoint_url": self.variables["PIN_S3_ENDPOINT_URL"],
            "aws_region": self.variables["AWS_REGION"],
            "aws_allow_http": "true",
        }
        return DeltaTable(f"s3://{self.variables['PIN_BUCKET']}/lake/{key}", storage_options=options)

    def _delta_rows(self, key: str) -> dict[str, Any]:
        query = QueryBuilder().register("t", self._delta_table(key))
        rows = pa.table(query.execute(ROWS.get(key, "select * from t")))
        facts: dict[str, Any] = {"rows": rows.num_rows}
        if "reason" in rows.column_names and key not in ROWS:
            facts["rows_by_reason"] = dict(Counter(rows["reason"].to_pylist()))
        return facts


def _postgres_rows(connection: psycopg.Connection, name: str) -> dict[str, Any]:
    table = sql.Identifier(name)
    [[rows]] = connection.execute(sql.SQL("SELECT count(*) FROM {}").format(table)).fetchall()
    if not name.endswith("_quarantine"):
        return {"rows": rows}
    by_reason = connection.execute(sql.SQL("SELECT reason, count(*) FROM {} GROUP BY 1").format(table)).fetchall()
    return {"rows": rows, "rows_by_reason": dict(by_reason)}


def _last_offsets(checkpoint: Path) -> dict[str, Any]:
    last = max(
        (path for path in (checkpoint / "offsets").iterdir() if path.name.isdigit()), key=lambda path: int(path.name)
    )
    offsets: dict[str, Any] = json.loads(last.read_text().splitlines()[-1])
    return {name: value for name, value in offsets.items() if name not in UNSTABLE_OFFSETS}
