"""Commands for quarantined records: list, show and replay."""

from __future__ import annotations

from base64 import b64decode
from typing import Any

from pin_pipeline.batch.engines.base import BatchEngine
from pin_pipeline.records import PIN
from pin_pipeline.settings import Settings
from pin_pipeline_tests.batch.batch_helpers import redefined, run_clean, table
from pin_pipeline_tests.helpers.command_line import CommandLine
from pin_pipeline_tests.helpers.rows import geo, pin
from pin_pipeline_tests.helpers.topics import produce


def test_quarantine_list_and_show_print_rejected_records(
    connected: CommandLine, settings: Settings, engine: BatchEngine[Any]
) -> None:
    connected.variables |= {"PIN_PREFIX": settings.prefix, "PIN_BUCKET": settings.bucket}
    produce(settings, "geo", [geo(1), geo(2, latitude="[red]north"), b"no json\xff"])
    connected.succeed("land")
    run_clean(settings, engine, "geo")
    latest, earlier = connected.read_json("quarantine", "list")
    assert (latest["record"], latest["reason"]) == ("geo/0/2", "not_json")
    assert [*earlier.values()][2:] == ["wrong_type", "latitude", '"[red]north"']
    assert '"[red]north"' in connected.succeed("quarantine", "list")
    assert connected.read_json("quarantine", "list", "--reason", "not_json", "--kind", "geo") == [latest]
    assert connected.succeed("quarantine", "list", "--kind", "pin") == "no rows\n"
    fields = dict(line.split(":", 1) for line in connected.succeed("quarantine", "show", "geo/0/2").splitlines())
    assert (fields["bytes"].strip(), fields["reason"].strip()) == ("no json\\xff", "not_json")
    assert b64decode(connected.read_json("quarantine", "show", "geo/0/2")["bytes"]) == b"no json\xff"
    assert "geo/0/0 is not in quarantine" in connected.fail("quarantine", "show", "geo/0/0")
    assert "expected type/partition/offset" in connected.fail("quarantine", "show", "2")
    assert "expected pin, geo, user" in connected.fail("quarantine", "list", "--kind", "pan")


def test_quarantine_replay_publishes_records_that_the_current_rules_accept(
    connected: CommandLine, settings: Settings, engine: BatchEngine[Any]
) -> None:
    connected.variables |= {
        "PIN_PREFIX": settings.prefix,
        "PIN_BUCKET": settings.bucket,
        "PIN_POSTGRES_URL": settings.postgres_url,
    }
    produce(settings, "pin", [pin(1), pin(2, follower_count="User Info Error"), b"no json"])
    connected.succeed("land")
    run_clean(settings, engine, redefined(PIN, "follower_count", sentinels=()))
    assert len(connected.read_json("quarantine", "list")) == 2
    assert connected.read_json("quarantine", "replay") == [
        {"record_type": "pin", "published": 1, "still_in_quarantine": 1},
        {"record_type": "geo", "published": 0, "still_in_quarantine": 0},
        {"record_type": "user", "published": 0, "still_in_quarantine": 0},
    ]
    published = table(settings, "cleaned/pin", "select ind, follower_count from t order by ind")
    assert published == [{"ind": 1, "follower_count": 12_000}, {"ind": 2, "follower_count": None}]
