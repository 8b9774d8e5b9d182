"""The commands and code of the pages, executed in a copy of the project, in the order of the page."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from pin_pipeline.aws import clients
from pin_pipeline.local import ports, s3
from pin_pipeline.local.readiness import aws_ready
from pin_pipeline_tests.docs.pages import ROOT, Block, blocks, markdown_pages
from pin_pipeline_tests.helpers.command_line import free_ports, inherited_environment
from pin_pipeline_tests.helpers.rows import geo, pin, user
from pin_pipeline_tests.helpers.waiting import wait_until

PAGES = (
    "README.md",
    "CONTRIBUTING.md",
    "docs/getting-started.md",
    "docs/guides/post-records.md",
    "docs/guides/add-a-query.md",
    "docs/guides/add-a-record-type.md",
    "docs/guides/test-an-asset.md",
    "docs/guides/use-your-own-services.md",
    "docs/guides/back-up-and-restore.md",
    "docs/guides/upgrade.md",
    "docs/guides/operate.md",
    "docs/reference/gateway.md",
    "docs/reference/sources.md",
    "docs/guides/evolve-a-schema.md",  # last: with the former definition again, reconciliation would report its record
)
"""Pages that are executed, one after another in one home."""
BASH, GIT = str(shutil.which("bash")), str(shutil.which("git"))
BUCKET, REGION = "own-bucket", "eu-west-1"
OWN_HOST = "127.0.0.2"
"""Address of this machine that is not one of the local environment, as that of a service elsewhere; Linux only."""
NEED_AN_ACCOUNT = {"docs/aws/README.md", "docs/aws/databricks.md"}
"""Pages whose commands need an AWS or Databricks account; `test_pages.py` looks up those of this project."""
OUTSIDE = {
    "make": f'grep --quiet "^$1:" {ROOT}/Makefile',  # `make test` itself runs this test
    "git": '[ "$*" = pull ]',
}
"""Programs that act on the whole checkout, and what replaces them."""


class Project:
    """A copy of the project in which the blocks of a page are executed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._programs = folder / "programs"
        self._programs.mkdir()
        for name, script in OUTSIDE.items():
            (self._programs / name).write_text(f"#!/bin/sh\n{script}\n")
            (self._programs / name).chmod(0o755)
        (folder / ".venv").symlink_to(sys.prefix)
        shutil.copy(ROOT / "workspace.yaml", folder)
        write_source_files(folder)
        self.ports = free_ports()

    def reset(self) -> None:
        """Undo the edits of pages, and start the servers that they have stopped."""
        shutil.rmtree(self.folder / "pin_pipeline", ignore_errors=True)
        shutil.copytree(ROOT / "pin_pipeline", self.folder / "pin_pipeline")
        self.run(".venv/bin/pin-pipeline up")

    def environment(self) -> dict[str, str]:
        path = f"{self._programs}{os.pathsep}{os.environ['PATH']}"
        return inherited_environment() | self.ports | {"PATH": path, "PYTHONPATH": str(self.folder)}

    def execute(self, block: Block, replaced: dict[str, str]) -> None:
        match block.language:
            case "sh":
                text = block.text
                for old, new in replaced.items():
                    text = text.replace(old, new)
                self.run(text)
            case "python" | "sql":
                (self.folder / block.file).write_text(block.text)
            case "diff":
                self.run(f"{GIT} apply --recount - <<'END'\n{block.text}END")
            case _:
                assert block.language in {"text", "mermaid"}

    def run(self, script: str) -> None:
        result = subprocess.run(
            [BASH, "-euo", "pipefail", "-c", script],
            cwd=self.folder,
            env=self.environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        assert result.returncode == 0, f"{script}\n{result.stdout[-5000:]}"


def write_source_files(folder: Path) -> None:
    """Write the files that the pages load."""
    (folder / "pins.jsonl").write_text("".join(f"{json.dumps(pin(ind))}\n" for ind in range(20_000, 20_005)))
    for name, row, separator in (("geos.csv", geo, ","), ("users.csv", user, ","), ("users.tsv", user, "\t")):
        rows = [row(ind) for ind in range(20_000, 20_005)]
        lines = [rows[0], *(values.values() for values in rows)]
        (folder / name).write_text("".join(f"{separator.join(map(str, line))}\n" for line in lines))


@pytest.fixture(scope="module")
def own_bucket(clean_environment: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:  # noqa: ARG001
    """Start an S3 service of the user's own, with a bucket, and return its address."""
    port = ports.free_port()
    address, command = f"http://{OWN_HOST}:{port}", [sys.executable, "-m", "hypercorn", "ministack.app:app"]
    storage = {"S3_PERSIST": "1", "S3_DATA_DIR": str(tmp_path_factory.mktemp("s3")), "GATEWAY_PORT": str(port)}
    with subprocess.Popen(
        [*command, "--bind", f"{OWN_HOST}:{port}"], env=os.environ | s3.MINISTACK_OPTIONS | storage
    ) as process:
        wait_until(lambda: aws_ready("s3", address, "list_buckets"))
        client = clients.client("s3", REGION, address)
        client.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
        yield address
        process.terminate()


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    project = Project(tmp_path_factory.mktemp("project"))
    yield project
    project.run(".venv/bin/pin-pipeline down")


@pytest.fixture
def replaced(project: Project, page: str, request: pytest.FixtureRequest) -> dict[str, str]:
    """Texts of the pages to replace: addresses, and the placeholders for what is the user's own."""
    addresses = {
        f"http://127.0.0.1:{default}": f"http://127.0.0.1:{project.ports[variable]}"
        for variable, default in (("PIN_GATEWAY_PORT", 8082), ("PIN_DASHBOARD_PORT", 8083))
    }
    if page.endswith("use-your-own-services.md"):
        if sys.platform != "linux":
            pytest.skip(f"only Linux has the address {OWN_HOST}")
        address = request.getfixturevalue("own_bucket")
        return addresses | {"https://s3.eu-west-1.amazonaws.com": address, "YOUR-BUCKET": BUCKET}
    if page.endswith("gateway.md"):  # the command runs until it is stopped
        port = ports.free_port()
        health = f"curl --fail --retry-connrefused --retry 30 --retry-delay 1 http://127.0.0.1:{port}/health"
        return {"--port 8082": f"--port {port} & {health}; kill $!"}
    return addresses


@pytest.mark.parametrize("page", PAGES)
def test_commands_and_code_of_a_page_work(project: Project, page: str, replaced: dict[str, str]) -> None:
    project.reset()
    for block in blocks(ROOT / page):
        project.execute(block, replaced)


def test_every_page_with_commands_is_executed() -> None:
    pages = [page for page in markdown_pages() if any(block.language == "sh" for block in blocks(page))]
    with_commands = {str(page.relative_to(ROOT)) for page in pages}
    assert with_commands == {*PAGES} | NEED_AN_ACCOUNT
