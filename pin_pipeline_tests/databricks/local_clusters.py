"""Stand-in for Databricks clusters: runs a task in a local process that has only what a cluster would have."""

from __future__ import annotations

import io
import os
import re
import signal
import subprocess
import sys
import zipfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import boto3
from botocore.exceptions import ClientError

from pin_pipeline.local import jars
from pin_pipeline.settings import Settings
from pin_pipeline.spark.conf import CLASS_ARCHIVE_OPTION, JVM_OPTIONS, RESULT_CONF
from pin_pipeline.spark.session import spark_conf, spark_variables

INSTANCE_PROFILE = "arn:aws:iam::123456789012:instance-profile/pin-pipeline"
CALL_ENTRY_POINT = """
import sys
from importlib.metadata import distribution
from pyspark import SparkContext
package, name, *sys.argv[1:] = sys.argv[1:]
[entry_point] = [found for found in distribution(package).entry_points if found.name == name]
try:
    entry_point.load()()
finally:
    if SparkContext._active_spark_context:
        SparkContext._active_spark_context.stop()
"""
"""Program of a task: as on Databricks, the entry point is looked up in the metadata of the installed wheel.

The platform ends the session. If the driver just ended, its executors would be replaced until it has.
"""
KINESIS_SOURCE = "from pin_pipeline.streaming.kinesis_source.source import KinesisSource as DefaultSource\n"
"""Module `pyspark_kinesis`, by which Spark finds a source of the platform: replaces the one of Databricks."""
INHERITED_VARIABLES = ("PATH", "HOME", "JAVA_HOME", "LANG")
SECRET = re.compile(r"{{secrets/([^}]+)}}")
PROPERTIES = "spark.properties"
KILL_AFTER_SECONDS = 20
MULTI_PROCESS_CONF = {"spark.master": "local-cluster[1,2,1024]"}
"""An executor in a process of its own, with two cores and 1 GiB."""


class LaunchError(Exception):
    """Raised when a cluster cannot be started."""


@dataclass(frozen=True)
class LocalClusters:
    """Clusters whose nodes are local processes.

    Attributes:
        folder: parent of the folder of each run.
        settings: the local servers.
        secrets: secrets by scope/key.
        conf: additional Spark settings of the platform.
    """

    folder: Path
    settings: Settings
    secrets: Mapping[str, str] = field(default_factory=dict)
    conf: Mapping[str, str] = field(default_factory=dict)

    def start(self, run_id: int, task: Mapping[str, Any]) -> TaskProcess:
        """Start a task on a new cluster.

        Raises:
            LaunchError: the cluster cannot be started, or a library cannot be installed.
        """
        cluster, home = task["new_cluster"], self.folder / str(run_id)
        home.mkdir()
        if cluster["aws_attributes"]["instance_profile_arn"] != INSTANCE_PROFILE:
            raise LaunchError("Cluster could not be launched: the instance profile is not known to this workspace.")
        (home / "site").mkdir()
        (home / "site" / "pyspark_kinesis.py").write_text(KINESIS_SOURCE)
        for library in task["libraries"]:
            self._install(library["whl"], home / "site")
        self._configure(home, cluster.get("spark_conf", {}))
        wheel = task["python_wheel_task"]
        command = (
            sys.executable,
            "-c",
            CALL_ENTRY_POINT,
            wheel["package_name"],
            wheel["entry_point"],
            *wheel.get("parameters", ()),
        )
        with (home / "log").open("wb") as log:
            popen = subprocess.Popen(
                command,
                env=self._environment(home, cluster.get("spark_env_vars", {})),
                cwd=home,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        return TaskProcess(popen, home / "log")

    def _install(self, url: str, site: Path) -> None:
        location = urlsplit(url)
        s3 = boto3.client("s3", endpoint_url=self.settings.s3_endpoint_url, region_name=self.settings.region)
        try:
            wheel = s3.get_object(Bucket=location.netloc, Key=location.path.removeprefix("/"))["Body"].read()
        except ClientError as error:
            raise LaunchError(f"Library installation failed for library {url}: {error}") from error
        zipfile.ZipFile(io.BytesIO(wheel)).extractall(site)

    def _configure(self, home: Path, conf: Mapping[str, str]) -> None:
        where = self.settings
        platform = spark_conf(jars.ensure("spark"), home, where.s3_endpoint_url, where.region)
        # Settings that decide results must come with the specification of the cluster.
        bare = {name: value for name, value in platform.items() if name not in RESULT_CONF}
        bare["spark.executor.extraClassPath"] = bare["spark.driver.extraClassPath"]
        bare["spark.executor.extraJavaOptions"] = " ".join((*JVM_OPTIONS, CLASS_ARCHIVE_OPTION))
        lines = [f"{name} {value}\n" for name, value in {**bare, **self.conf, **conf}.items()]
        (home / PROPERTIES).write_text("".join(lines))

    def _environment(self, home: Path, variables: Mapping[str, str]) -> dict[str, str]:
        return {
            **{name: os.environ[name] for name in INHERITED_VARIABLES if name in os.environ},
            "PYTHONPATH": str(home / "site"),
            "DATABRICKS_RUNTIME_VERSION": "18.2",
            "SPARK_WORKER_DIR": str(home / "executors"),
            **spark_variables(),
            # A conf folder would be on the class path, which keeps Java from using the class archive.
            "PYSPARK_SUBMIT_ARGS": f"--properties-file {home / PROPERTIES} pyspark-shell",
            # On AWS these come from the instance profile and the network.
            "AWS_ACCESS_KEY_ID": os.environ["AWS_ACCESS_KEY_ID"],
            "AWS_SECRET_ACCESS_KEY": os.environ["AWS_SECRET_ACCESS_KEY"],
            "AWS_ENDPOINT_URL_S3": self.settings.s3_endpoint_url or "",
            "AWS_REGION": self.settings.region,
            "AWS_DEFAULT_REGION": self.settings.region,
            **{name: SECRET.sub(self._secret, value) for name, value in variables.items()},
        }

    def _secret(self, reference: re.Match[str]) -> str:
        if reference[1] not in self.secrets:
            raise LaunchError(f"Cluster could not be launched: there is no secret {reference[1]}.")
        return self.secrets[reference[1]]


@dataclass(frozen=True)
class TaskProcess:
    """The process group of a task."""

    popen: subprocess.Popen[bytes]
    log: Path

    def stop(self) -> None:
        """Stop it, with SIGKILL if SIGTERM does not stop it in time."""
        self._signal(signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            self.popen.wait(KILL_AFTER_SECONDS)
        self._signal(signal.SIGKILL)

    def output(self) -> str:
        """Return all that it printed."""
        return self.log.read_text(errors="replace")

    def _signal(self, number: int) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self.popen.pid, number)
