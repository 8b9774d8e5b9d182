"""What commands answer where something is missing or wrong: one sentence that says what to do."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from pin_pipeline.local.ports import free
from pin_pipeline.records import PIN
from pin_pipeline.settings import Settings
from pin_pipeline_tests.batch.batch_helpers import redefined, run_clean, table
from pin_pipeline_tests.helpers.rows import geo, pin
from pin_pipeline_tests.helpers.topics import produce
from pin_pipeline_tests.local.conftest import Machine


@pytest.fixture
def served(local_environment: Settings, machine: Machine) -> Machine:
    """A machine that uses the servers of all tests."""
    assert local_environment.s3_endpoint_url
    machine.variables = {
        "PIN_KAFKA_BOOTSTRAP": local_environment.kafka.bootstrap,
        "PIN_S3_ENDPOINT_URL": local_environment.s3_endpoint_url,
        "PIN_GATEWAY_URL": local_environment.gateway_url,
    }
    return machine


def away() -> str:
    return f"127.0.0.1:{free()}"


def test_help_names_every_command(machine: Machine) -> None:
    shown = machine.succeed("--help")
    for command in (
        "up",
        "down",
        "status",
        "env",
        "source",
        "emulate",
        "land",
        "audit",
        "quarantine",
        "show",
        "demo",
        "dev",
        "streams",
    ):
        assert f" {command} " in shown


def test_no_java_says_what_to_install(machine: Machine, tmp_path: Path) -> None:
    error = machine.fail("up", JAVA_HOME=str(tmp_path))
    assert f"there is no java in {tmp_path}/bin: install a Java runtime of version 17 or newer" in error
    error = machine.fail("up", PATH=str(tmp_path))
    assert "there is no java on PATH: install" in error


def test_an_old_java_says_which_is_needed(machine: Machine, tmp_path: Path) -> None:
    old = tmp_path / "bin" / "java"
    old.parent.mkdir()
    old.write_text("#!/bin/sh\necho 'openjdk version \"1.8.0_402\"' >&2\n")
    old.chmod(0o755)
    assert f"{old} is Java 8: install a Java runtime of version 17 or newer" in machine.fail(
        "up", JAVA_HOME=str(tmp_path)
    )


def test_no_network_says_that_the_jars_could_not_be_downloaded(machine: Machine, tmp_path: Path) -> None:
    host, port = away().split(":")
    nowhere = " ".join(f"-D{scheme}.proxyHost={host} -D{scheme}.proxyPort={port}" for scheme in ("http", "https"))
    answer = machine.run("up", PIN_JARS=str(tmp_path / "jars"), JAVA_TOOL_OPTIONS=nowhere)
    assert answer.returncode == 1
    assert "could not be downloaded from Maven Central: check the network" in answer.stderr.splitlines()[-1]


def test_env_leads_other_programs_to_the_servers(served: Machine) -> None:
    script = f'eval "$({sys.executable} -c "from pin_pipeline.cli.app import main; main()" env)"; env'
    printed = subprocess.run(
        ["/bin/sh", "-c", script], env=served.environment(), capture_output=True, text=True, check=True
    ).stdout.splitlines()
    expected = served.variables | {"PIN_PREFIX": "pinterest", "PIN_SOURCE_URL": f"sqlite:///{served.home}/source.db"}
    assert {f"{name}={value}" for name, value in expected.items()} <= set(printed)


def test_emulate_and_land_by_hand(served: Machine, settings: Settings) -> None:
    served.variables |= {"PIN_PREFIX": settings.prefix, "PIN_BUCKET": settings.bucket}
    assert served.succeed("source", "fill").splitlines() == [
        "pinterest_data: 11154 rows",
        "geolocation_data: 11154 rows",
        "user_data: 11154 rows",
    ]
    assert "pin: 30 sent = 30 acknowledged + 0 refused" in served.succeed("emulate", "--draws", "30")
    assert f"{settings.topic('pin')}: 30 new records in" in served.succeed("land")
    assert f"{settings.topic('pin')}: 0 new records in 0 objects" in served.succeed("land")


def test_an_endless_emulation_ends_at_ctrl_c_and_its_counts_are_exact(served: Machine, tmp_path: Path) -> None:
    served.succeed("source", "fill")
    with served.start("emulate", "--endless", "--rate", "200", "--to", "files", "--folder", str(tmp_path)) as process:
        while not (tmp_path / "user.jsonl").exists():
            assert process.poll() is None
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate()
    assert process.returncode == 0
    for record_type in ("pin", "geo", "user"):
        lines = len((tmp_path / f"{record_type}.jsonl").read_bytes().splitlines())
        assert f"{record_type}: {lines} sent = {lines} acknowledged + 0 refused" in out


def test_emulating_without_rows_or_without_a_gateway_says_what_to_do(served: Machine) -> None:
    assert "table pinterest_data has 0 rows" in served.fail("emulate")
    served.succeed("source", "fill")
    where = away()
    assert where in served.fail("emulate", "--draws", "1", PIN_GATEWAY_URL=f"http://{where}")


def test_landing_without_a_broker_or_without_s3_says_what_to_do(served: Machine) -> None:
    where = away()
    with ThreadPoolExecutor() as both:
        without_broker = both.submit(served.fail, "land", PIN_KAFKA_BOOTSTRAP=where)
        without_s3 = both.submit(served.fail, "land", PIN_S3_ENDPOINT_URL=f"http://{where}")
    assert where in without_broker.result()
    assert where in without_s3.result()


def test_a_row_that_is_none_is_named_and_nothing_is_stored(served: Machine, tmp_path: Path) -> None:
    rows = tmp_path / "geo.jsonl"
    rows.write_text("\n".join(map(json.dumps, [geo(1), geo(2, latitude="north")])))
    assert f"{rows}, line 2: field 'latitude'" in served.fail("source", "load", "--geo", str(rows))
    rows.write_text(json.dumps(geo(1)))
    assert "geolocation_data: 1 rows" in served.succeed("source", "load", "--geo", str(rows))


def test_a_password_in_the_url_is_not_shown(served: Machine) -> None:
    url = f"mysql+pymysql://ada:very-secret@{away()}/pinterest_data"
    error = served.fail("emulate", PIN_SOURCE_URL=url)
    assert "mysql+pymysql://ada:***@" in error
    assert "very-secret" not in error


def test_a_table_that_is_not_there_is_named(served: Machine) -> None:
    assert "there is no table cleaned/pins at s3a://" in served.fail("show", "cleaned/pins")


def test_dev_outside_the_project_says_where_to_run_it(machine: Machine, tmp_path: Path) -> None:
    here = Path.cwd()
    os.chdir(tmp_path)
    try:
        answer = machine.run("dev")
    finally:
        os.chdir(here)
    assert answer.returncode == 1
    assert f"there is no workspace.yaml in {tmp_path}: run this in the folder of the project" in answer.stderr
    assert machine.run("status").returncode == 1


def test_quarantined_records_are_listed_and_shown(
    served: Machine, settings: Settings, session: Callable[[], SparkSession]
) -> None:
    served.variables |= {"PIN_PREFIX": settings.prefix, "PIN_BUCKET": settings.bucket}
    produce(settings, "geo", [geo(1), geo(2, latitude="[red]north"), b"no json\xff"])
    served.succeed("land")
    run_clean(settings, session, "geo")
    latest, earlier = served.succeed("quarantine", "list").splitlines()
    assert latest.startswith("geo/0/2  ")
    assert latest.endswith("  not_json")
    assert earlier.endswith('  wrong_type latitude "[red]north"')
    assert served.succeed("quarantine", "list", "--reason", "not_json", "--kind", "geo").splitlines() == [latest]
    assert served.succeed("quarantine", "list", "--kind", "pin") == ""
    shown = served.succeed("quarantine", "show", "geo/0/2")
    assert "bytes: no json\\xff\n" in shown
    assert "reason: not_json\n" in shown
    assert "geo/0/0 is not in quarantine" in served.fail("quarantine", "show", "geo/0/0")
    assert "expected kind/partition/offset" in served.fail("quarantine", "show", "2")
    assert "expected pin, geo, user" in served.fail("quarantine", "list", "--kind", "pan")


def test_a_record_in_quarantine_that_fits_by_now_is_published_by_a_replay(
    served: Machine, settings: Settings, session: Callable[[], SparkSession]
) -> None:
    served.variables |= {
        "PIN_PREFIX": settings.prefix,
        "PIN_BUCKET": settings.bucket,
        "PIN_POSTGRES_URL": settings.postgres_url,
    }
    produce(settings, "pin", [pin(1), pin(2, follower_count="User Info Error"), b"no json"])
    served.succeed("land")
    run_clean(settings, session, redefined(PIN, "follower_count", sentinels=()))
    assert len(served.succeed("quarantine", "list").splitlines()) == 2
    assert "pin: 1 of 2 records came out of quarantine, 1 stay" in served.succeed("quarantine", "replay")
    published = table(settings, "cleaned/pin", "select ind, follower_count from t order by ind")
    assert published == [{"ind": 1, "follower_count": 12_000}, {"ind": 2, "follower_count": None}]
