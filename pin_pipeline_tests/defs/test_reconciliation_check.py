"""Check `reconciled`: where a reconciliation starts, from the history of the check on a real Dagster instance."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import dagster as dg
import pytest
from dagster_aws.s3 import S3Resource

from pin_pipeline.defs.assets.cleaned import cleaned_key
from pin_pipeline.defs.checks.reconciliation import reconcile
from pin_pipeline.defs.resources import interfaces
from pin_pipeline.defs.resources.interfaces import LakeResource
from pin_pipeline.defs.resources.local import PlaintextKafka
from pin_pipeline.kafka.connection import KafkaConnection
from pin_pipeline.reconciliation.findings import DiscrepancyType, PartitionCounts, TopicFindings, TopicPosition
from pin_pipeline.records import GEO, RecordType
from pin_pipeline.storage.lake import Lake
from pin_pipeline.storage.object_store import ObjectStore

KEY = cleaned_key(GEO)
LOCATION = "s3://bucket/topics/prefix.geo/"


class ReconciliationCheck:
    """The check on a Dagster instance, without a broker: it returns given findings and records where it started."""

    def __init__(self, instance: dg.DagsterInstance) -> None:
        self.instance = instance
        self._findings, self._start_offsets = TopicFindings(), dict[int, int]()

    def run(self, findings: TopicFindings | None = None, *, from_the_beginning: bool = False) -> dict[int, int]:
        """Run the check with these findings, and return the offsets at which it started."""
        self._findings = findings or TopicFindings()
        s3 = S3Resource(endpoint_url="http://127.0.0.1:9", region_name="us-east-1")
        selection = dg.AssetSelection.checks(dg.AssetCheckKey(KEY, "reconciled"))
        defs = dg.Definitions(
            asset_checks=[reconcile],
            jobs=[dg.define_asset_job("run_check", selection)],
            resources={
                "kafka": PlaintextKafka(bootstrap_servers="127.0.0.1:9", prefix="prefix"),
                "lake": LakeResource(s3=s3, bucket="bucket"),
            },
        )
        config = {"ops": {"reconcile": {"config": {"from_the_beginning": from_the_beginning}}}}
        result = defs.resolve_job_def("run_check").execute_in_process(config, self.instance, raise_on_error=False)
        assert result.success is (not self._findings.discrepancies), "the check is blocking"
        return self._start_offsets

    def reconcile_topic(
        self,
        record_type: RecordType,
        topic: str,
        _connection: KafkaConnection,
        lake: Lake,
        store: ObjectStore,
        since: Mapping[int, int],
    ) -> TopicFindings:
        assert (record_type, topic, lake.bucket, store.bucket) == (GEO, "prefix.geo", "bucket", "bucket")
        self._start_offsets = dict(since)
        return self._findings

    def store_former_evaluation(self, offset: int, *, passed: bool = True, location: str = LOCATION) -> None:
        """Store an evaluation with the former names of the check and of its metadata."""
        metadata: dict[str, Any] = {
            "landed": offset,
            "published": offset,
            **dict.fromkeys(("superseded", "quarantined", "waiting", "defects"), 0),
            "first_defects": dg.MetadataValue.md(""),
            "audited": dg.MetadataValue.text(location),
            "next_offsets": {"0": offset},
        }
        evaluation = dg.AssetCheckEvaluation(
            asset_key=KEY, check_name="audited", passed=passed, metadata=metadata, severity=dg.AssetCheckSeverity.ERROR
        )
        self.instance.report_runless_asset_event(evaluation)


@pytest.fixture
def check(instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch) -> ReconciliationCheck:
    check = ReconciliationCheck(instance)
    monkeypatch.setattr(interfaces, "reconcile_topic", check.reconcile_topic)
    return check


def findings_up_to(offset: int, *, complete: bool = True) -> TopicFindings:
    findings = TopicFindings({0: PartitionCounts(landed=offset, published=offset, next_offset=offset)})
    if not complete:
        findings.add(TopicPosition(0, 0), DiscrepancyType.MISSING, "not in the table")
    return findings


def test_reconciliation_starts_from_the_beginning_without_a_history(check: ReconciliationCheck) -> None:
    assert check.run() == {}


def test_reconciliation_starts_where_the_last_successful_one_ended(check: ReconciliationCheck) -> None:
    check.run(findings_up_to(5))
    assert check.run(findings_up_to(9, complete=False)) == {0: 5}
    assert check.run(findings_up_to(9)) == {0: 5}, "the failed reconciliation is repeated"
    assert check.run() == {0: 9}


def test_reconciliation_continues_the_history_of_the_former_check_name(check: ReconciliationCheck) -> None:
    check.store_former_evaluation(7)
    check.store_former_evaluation(8, passed=False)
    check.store_former_evaluation(9, location="s3://bucket/topics/other.geo/")
    assert check.run(findings_up_to(10, complete=False)) == {0: 7}
    assert check.run(findings_up_to(10)) == {0: 7}, "no reconciliation under the new name has succeeded"
    assert check.run() == {0: 10}


@pytest.mark.parametrize("former_name", [False, True])
def test_reconciliation_from_the_beginning_ignores_the_history(
    check: ReconciliationCheck, *, former_name: bool
) -> None:
    if former_name:
        check.store_former_evaluation(7)
    else:
        check.run(findings_up_to(5))
    assert check.run(from_the_beginning=True) == {}
