"""Clusters on this machine: a run's task as a process of its own, with what a cluster would have, and nothing else."""

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
from pin_pipeline.spark.session import ARCHIVED, RESULTS, SMALL, spark_conf, spark_variables

INSTANCE_PROFILE = "arn:aws:iam::123456789012:instance-profile/pin-pipeline"
# As Databricks does it: the entry point is looked up in the metadata of the installed wheel.
CALL = """
import sys
from importlib.metadata import distribution
package, name, *sys.argv[1:] = sys.argv[1:]
[entry_point] = [found for found in distribution(package).entry_points if found.name == name]
entry_point.load()()
"""
# A source of the platform's own, in the place of Databricks': Spark finds it by the name of its module.
KINESIS = "from pin_pipeline.streaming.kinesis_source.source import KinesisSource as DefaultSource\n"
OF_THE_MACHINE = ("PATH", "HOME", "JAVA_HOME", "LANG")
SECRET = re.compile(r"{{secrets/([^}]+)}}")
PROPERTIES = "spark.properties"
KILL_AFTER_SECONDS = 20
# Executors in processes of their own, each with a core and a gigabyte.
CLUSTER = {"spark.master": "local-cluster[2,1,1024]"}


class LaunchError(Exception):
    """A cluster could not be started."""


@dataclass(frozen=True)
class Machines:
    """What clusters are made of.

    Attributes:
        folder: each run has a folder in it.
        secrets: by scope/key.
        conf: Spark settings of the platform.
    """

    folder: Path
    settings: Settings
    secrets: Mapping[str, str] = field(default_factory=dict)
    conf: Mapping[str, str] = field(default_factory=dict)

    def start(self, run_id: int, task: Mapping[str, Any]) -> Process:
        """Start a task on a new cluster.

        Raises:
            LaunchError: the cluster does not start, or a library cannot be installed.
        """
        cluster, home = task["new_cluster"], self.folder / str(run_id)
        home.mkdir()
        if cluster["aws_attributes"]["instance_profile_arn"] != INSTANCE_PROFILE:
            raise LaunchError("Cluster could not be launched: the instance profile is not known to this workspace.")
        (home / "site").mkdir()
        (home / "site" / "pyspark_kinesis.py").write_text(KINESIS)
        for library in task["libraries"]:
            self._install(library["whl"], home / "site")
        self._configure(home, cluster.get("spark_conf", {}))
        wheel = task["python_wheel_task"]
        command = (
            sys.executable,
            "-c",
            CALL,
            wheel["package_name"],
            wheel["entry_point"],
            *wheel.get("parameters", ()),
        )
        with (home / "log").open("wb") as log:
            started = subprocess.Popen(
                command,
                env=self._environment(home, cluster.get("spark_env_vars", {})),
                cwd=home,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        return Process(started, home / "log")

    def _install(self, url: str, site: Path) -> None:
        where = urlsplit(url)
        s3 = boto3.client("s3", endpoint_url=self.settings.s3_endpoint_url, region_name=self.settings.region)
        try:
            wheel = s3.get_object(Bucket=where.netloc, Key=where.path.removeprefix("/"))["Body"].read()
        except ClientError as error:
            raise LaunchError(f"Library installation failed for library {url}: {error}") from error
        zipfile.ZipFile(io.BytesIO(wheel)).extractall(site)

    def _configure(self, home: Path, conf: Mapping[str, str]) -> None:
        where = self.settings
        platform = spark_conf(jars.ensure("spark"), home, where.s3_endpoint_url, where.region)
        # What decides about results must come with the cluster's specification.
        bare = {name: value for name, value in platform.items() if name not in RESULTS}
        bare["spark.executor.extraClassPath"] = bare["spark.driver.extraClassPath"]
        bare["spark.executor.extraJavaOptions"] = " ".join((*SMALL, ARCHIVED))
        lines = [f"{name} {value}\n" for name, value in {**bare, **self.conf, **conf}.items()]
        (home / PROPERTIES).write_text("".join(lines))

    def _environment(self, home: Path, variables: Mapping[str, str]) -> dict[str, str]:
        return {
            **{name: os.environ[name] for name in OF_THE_MACHINE if name in os.environ},
            "PYTHONPATH": str(home / "site"),
            "DATABRICKS_RUNTIME_VERSION": "18.2",
            **spark_variables(),
            # A folder of settings instead would be on the class path, and so keep Java from using the class archive.
            "PYSPARK_SUBMIT_ARGS": f"--properties-file {home / PROPERTIES} pyspark-shell",
            # What the instance profile and the network give to a machine on AWS.
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
class Process:
    """The process group of a task."""

    popen: subprocess.Popen[bytes]
    log: Path

    def stop(self) -> None:
        """Have it end, the hard way where it does not within seconds."""
        self._signal(signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            self.popen.wait(KILL_AFTER_SECONDS)
        self._signal(signal.SIGKILL)

    def said(self) -> str:
        """All that it printed."""
        return self.log.read_text(errors="replace")

    def _signal(self, number: int) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self.popen.pid, number)
