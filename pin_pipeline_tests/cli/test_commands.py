"""Commands of `pin-pipeline`: their output, and their error messages when something is missing or wrong."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from pin_pipeline.local.ports import free_port
from pin_pipeline.settings import Settings
from pin_pipeline_tests.helpers.command_line import PROGRAM, CommandLine
from pin_pipeline_tests.helpers.rows import geo


def unreachable_address() -> str:
    return f"127.0.0.1:{free_port()}"


def test_help_lists_every_command(command_line: CommandLine) -> None:
    output = command_line.succeed("--help")
    for command in (
        "up",
        "down",
        "status",
        "env",
        "source",
        "emulate",
        "land",
        "reconcile",
        "quarantine",
        "show",
        "demo",
        "dev",
        "streams",
    ):
        assert f" {command} " in output


def test_up_without_network_reports_the_failed_jar_download(command_line: CommandLine, tmp_path: Path) -> None:
    host, port = unreachable_address().split(":")
    proxies = " ".join(f"-D{scheme}.proxyHost={host} -D{scheme}.proxyPort={port}" for scheme in ("http", "https"))
    result = command_line.run("up", PIN_JARS=str(tmp_path / "jars"), JAVA_TOOL_OPTIONS=proxies)
    assert result.returncode == 1
    assert "could not be downloaded from Maven Central: check the network" in result.stderr.splitlines()[-1]


def test_env_prints_variables_that_a_shell_can_evaluate(connected: CommandLine) -> None:
    connected.variables["PIN_SOURCE_URL"] = "mysql+pymysql://ada:$HOME'\"`id`\\n;#@host/database"
    script = f'eval "$({sys.executable} -c "{PROGRAM}" env)"; env'
    printed = subprocess.run(
        ["/bin/sh", "-c", script], env=connected.environment(), capture_output=True, text=True, check=True
    ).stdout.splitlines()
    expected = connected.variables | {
        "PIN_PREFIX": "pinterest",
        "PIN_HOME": str(connected.home),
        "DAGSTER_HOME": str(connected.home / "dagster"),
    }
    assert {f"{name}={value}" for name, value in expected.items()} <= set(printed)
    assert expected.items() <= connected.read_json("env").items()
    assert (connected.home / "dagster" / "dagster.yaml").exists()


def test_emulate_and_land_report_exact_counts(connected: CommandLine, settings: Settings) -> None:
    connected.variables |= {"PIN_PREFIX": settings.prefix, "PIN_BUCKET": settings.bucket}
    assert connected.succeed("source", "fill").splitlines() == [
        f"{table}: 11154 rows (11154 loaded, 0 replaced, 0 skipped, 0 rejected)"
        for table in ("pinterest_data", "geolocation_data", "user_data")
    ]
    assert "pin: 30 sent = 30 acknowledged + 0 refused" in connected.succeed("emulate", "--draws", "30")
    topics = [settings.topic(record_type) for record_type in ("pin", "geo", "user")]
    landed = connected.read_json("land")
    assert [(row["topic"], row["new_records"]) for row in landed] == [(topic, 30) for topic in topics]
    nothing = {"new_records": 0, "new_objects": 0, "skipped_objects": []}
    assert connected.read_json("land") == [{"topic": topic, **nothing} for topic in topics]


def test_endless_emulation_stops_at_ctrl_c_with_exact_counts(connected: CommandLine, tmp_path: Path) -> None:
    connected.succeed("source", "fill")
    with connected.start(
        "emulate", "--endless", "--rate", "200", "--to", "files", "--folder", str(tmp_path)
    ) as process:
        while not (tmp_path / "user.jsonl").exists():
            assert process.poll() is None
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate()
    assert process.returncode == 0
    for record_type in ("pin", "geo", "user"):
        lines = len((tmp_path / f"{record_type}.jsonl").read_bytes().splitlines())
        assert f"{record_type}: {lines} sent = {lines} acknowledged + 0 refused" in out


def test_emulate_reports_an_empty_source_and_an_unreachable_gateway(connected: CommandLine) -> None:
    error = connected.fail("emulate")
    assert error.startswith("pin-pipeline: source database sqlite:")
    assert "does not exist: create and fill it with `pin-pipeline source fill` or `pin-pipeline source load`" in error
    assert not (connected.home / "source.db").exists()
    connected.succeed("source", "fill")
    address = unreachable_address()
    assert address in connected.fail("emulate", "--draws", "1", PIN_GATEWAY_URL=f"http://{address}")


def test_land_reports_the_address_of_an_unreachable_broker_or_s3(connected: CommandLine) -> None:
    address = unreachable_address()
    with ThreadPoolExecutor() as executor:
        without_broker = executor.submit(connected.fail, "land", PIN_KAFKA_BOOTSTRAP=address)
        without_s3 = executor.submit(connected.fail, "land", PIN_S3_ENDPOINT_URL=f"http://{address}")
    assert address in without_broker.result()
    assert address in without_s3.result()


def test_source_load_names_an_invalid_row_and_stores_nothing(connected: CommandLine, tmp_path: Path) -> None:
    rows = tmp_path / "geo.jsonl"
    rows.write_text("\n".join(map(json.dumps, [geo(1), geo(2, latitude="north")])))
    assert f"{rows}, line 2: field 'latitude'" in connected.fail("source", "load", "--geo", str(rows))
    rows.write_text(json.dumps(geo(1)))
    assert "geolocation_data: 1 rows" in connected.succeed("source", "load", "--geo", str(rows))


def test_source_load_prints_progress_and_counts(connected: CommandLine, tmp_path: Path) -> None:
    rows = tmp_path / "geo.jsonl"
    rows.write_text("\n".join(map(json.dumps, [geo(1), geo(2)])))
    connected.succeed("source", "load", "--geo", str(rows))
    rows.write_text("\n".join(map(json.dumps, [geo(2), geo(3), geo(3)])))
    result = connected.run("source", "load", "--geo", str(rows))
    assert (result.returncode, result.stdout, result.stderr) == (
        0,
        "geolocation_data: 3 rows (1 loaded, 1 replaced, 1 skipped, 0 rejected)\n",
        f"loading {rows} into geolocation_data ...\n",
    )


def test_source_load_without_files_is_incorrect_usage(connected: CommandLine) -> None:
    result = connected.run("source", "load")
    assert (result.returncode, "no file to load: name at least one" in result.stderr) == (2, True)
    assert not (connected.home / "source.db").exists()


def test_source_load_reads_an_ambiguous_csv_file_only_in_a_named_dialect(
    connected: CommandLine, tmp_path: Path
) -> None:
    path = tmp_path / "geo.csv"
    path.write_text('ind,country,latitude,longitude,timestamp\n1,"C:\\\\temp",1,2,2018-03-01 12:30:05\n')
    error = connected.fail("source", "load", "--geo", str(path))
    assert f"{path}, line 2: a cell is" in error
    assert "choose one with --dialect" in error
    connected.succeed("source", "load", "--geo", str(path), "--dialect", "mysql")


def test_emulate_names_column_type_and_row_of_a_value_that_cannot_be_posted(
    connected: CommandLine, tmp_path: Path
) -> None:
    connected.succeed("source", "fill")
    with sqlite3.connect(connected.home / "source.db") as database:
        database.execute("update geolocation_data set country = x'01' where ind = 3")
    error = connected.fail("emulate", "--sequence", "--to", "files", "--folder", str(tmp_path / "files"))
    assert "cannot read column country (TEXT) of the row with ind 3 of table geolocation_data" in error
    assert not (tmp_path / "files").exists()


def test_error_messages_hide_the_password_of_the_source_url(connected: CommandLine) -> None:
    url = f"mysql+pymysql://ada:very-secret@{unreachable_address()}/pinterest_data"
    error = connected.fail("emulate", PIN_SOURCE_URL=url)
    assert "mysql+pymysql://ada:***@" in error
    assert "very-secret" not in error


def test_emulate_refuses_a_first_row_after_the_last_one(command_line: CommandLine) -> None:
    for options in ("--first-row 5 --last-row 2", "--first-row 5 --last-row 2 --sequence", "--first-row 11001"):
        result = command_line.run("emulate", *options.split(), COLUMNS="200")
        assert (result.returncode, "Traceback" in result.stderr) == (2, False)
        assert f"the first row, {options.split()[1]}, is after the last row, " in result.stderr


def test_incorrect_usage_exits_with_2(command_line: CommandLine) -> None:
    result = command_line.run("land", "--no-such-option")
    assert (result.returncode, "No such option" in result.stderr) == (2, True)


def test_invalid_setting_is_reported_in_one_sentence(command_line: CommandLine) -> None:
    error = command_line.fail("status", PIN_S3_PORT="99999")
    assert error == "pin-pipeline: invalid PIN_S3_PORT '99999': expected a port number from 1 to 65535"


def test_interrupt_while_modules_load_is_reported_in_one_sentence(command_line: CommandLine) -> None:
    program = """\
import os, signal, sys

class InterruptImport:
    def find_spec(self, name, path=None, target=None):
        if name == "typer":
            os.kill(os.getpid(), signal.SIGINT)

sys.meta_path.insert(0, InterruptImport())
from pin_pipeline.cli.main import main
main()
"""
    result = subprocess.run(
        [sys.executable, "-c", program], env=command_line.environment(), capture_output=True, text=True, check=False
    )
    assert (result.returncode, result.stderr) == (130, "pin-pipeline: interrupted\n")


def test_show_reports_an_unreachable_lake_in_one_sentence(connected: CommandLine) -> None:
    address = unreachable_address()
    error = connected.fail("show", "cleaned/pin", PIN_S3_ENDPOINT_URL=f"http://{address}")
    assert f"table s3a://pin-pipeline/lake/cleaned/pin cannot be read from S3 at http://{address}: " in error
    assert "check that S3 is running (`pin-pipeline status`)" in error


def test_show_names_a_missing_table(connected: CommandLine) -> None:
    error = connected.fail("show", "cleaned/pins")
    assert "table 'cleaned/pins' does not exist at s3://pin-pipeline/lake/cleaned/pins: materialize" in error


def test_dev_outside_the_project_names_the_folder_to_run_it_in(command_line: CommandLine, tmp_path: Path) -> None:
    previous = Path.cwd()
    os.chdir(tmp_path)
    try:
        result = command_line.run("dev")
    finally:
        os.chdir(previous)
    assert result.returncode == 1
    assert f"workspace.yaml not found in {tmp_path}: run this command in the root of the project" in result.stderr
    assert command_line.run("status").returncode == 1
