"""Commands for quarantined records: list, show and replay."""

from __future__ import annotations

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
    latest, earlier = connected.succeed("quarantine", "list").splitlines()
    assert latest.startswith("geo/0/2  ")
    assert latest.endswith("  not_json")
    assert earlier.endswith('  wrong_type latitude "[red]north"')
    assert connected.succeed("quarantine", "list", "--reason", "not_json", "--kind", "geo").splitlines() == [latest]
    assert connected.succeed("quarantine", "list", "--kind", "pin") == ""
    output = connected.succeed("quarantine", "show", "geo/0/2")
    assert "bytes: no json\\xff\n" in output
    assert "reason: not_json\n" in output
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
    assert len(connected.succeed("quarantine", "list").splitlines()) == 2
    assert "pin: 1 of 2 records were published, 1 stay" in connected.succeed("quarantine", "replay")
    published = table(settings, "cleaned/pin", "select ind, follower_count from t order by ind")
    assert published == [{"ind": 1, "follower_count": 12_000}, {"ind": 2, "follower_count": None}]
