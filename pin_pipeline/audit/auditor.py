"""Prove of every record of a topic that it was published, superseded or quarantined, once and as it came."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from botocore.exceptions import BotoCoreError, ClientError
from confluent_kafka import KafkaException

from pin_pipeline.audit.broker import Broker
from pin_pipeline.audit.findings import Breach, Findings, Partition, Position
from pin_pipeline.audit.objects import Landed, Objects
from pin_pipeline.audit.tables import Quarantined, Tables, key_column
from pin_pipeline.lakehouse.lake import Lake
from pin_pipeline.lakehouse.version import rules_version
from pin_pipeline.landing.store import ObjectStore
from pin_pipeline.records import RecordKind
from pin_pipeline.records.rules import Problem, Row, Rules


class AuditError(Exception):
    """An audit cannot be made; says what was tried and where."""


def audit_topic(
    kind: RecordKind, topic: str, bootstrap: str, lake: Lake, store: ObjectStore, since: Mapping[int, int] | None = None
) -> Findings:
    """Audit a topic as it stands on the broker, on S3 and in the tables; see `audit`.

    Raises:
        AuditError: the broker or S3 cannot be read.
    """
    try:
        broker, since = Broker(bootstrap, topic), since or {}
        try:
            # No record is superseded by one of a lower offset, so rows of lower offsets need not be read.
            first = min((since.get(number, 0) for number in broker.partitions()), default=0)
            # The tables before the objects: what lands while the audit goes on is not yet expected in them.
            published, quarantine = lake.snapshot(f"cleaned/{kind.name}"), lake.snapshot(f"quarantine/{kind.name}")
            tables = Tables.read(kind, published, quarantine, first)
            return audit(kind, broker, Objects(store.client, store.bucket, topic), tables, since)
        finally:
            broker.close()
    except (KafkaException, BotoCoreError, ClientError) as error:
        raise AuditError(
            f"could not audit topic {topic} on the Kafka broker at {bootstrap} and in {lake.path('')}: {error!r}; "
            "check that both are up (`pin-pipeline status`)"
        ) from error


def audit(kind: RecordKind, broker: Broker, objects: Objects, tables: Tables, since: Mapping[int, int]) -> Findings:
    """Follow the records from the topic to where they are now.

    Args:
        kind: what the records should be.
        broker: the topic itself. Records that have aged out of it are followed from S3 on.
        objects: what was landed.
        tables: what was published and quarantined.
        since: the offset to begin with by partition, 0 where there is none; it must begin an object.
    """
    auditor = _Auditor(kind, tables, since)
    for number in sorted({*broker.partitions(), *(since or objects.partitions())}):
        if number in since and broker.end(number) <= since[number]:
            auditor.findings.partitions[number] = Partition(next_offset=since[number])  # nothing came
        else:
            auditor.follow(number, broker, objects)
    auditor.look_for_what_has_no_origin()
    return auditor.findings


class _Auditor:
    def __init__(self, kind: RecordKind, tables: Tables, since: Mapping[int, int]) -> None:
        self.findings = Findings()
        self._rules = Rules(kind)
        self._version = rules_version(kind)
        self._key = key_column(kind)
        self._tables = tables
        self._since = since
        self._proven_keys: set[object] = set()
        self._proven_misfits: set[Position] = set()
        for position, what in tables.doubled:
            self.findings.add(position, Breach.DOUBLED, what)

    def follow(self, number: int, broker: Broker, objects: Objects) -> None:
        """Follow the records of one partition."""
        first = self._since.get(number, 0)
        counts = self.findings.partitions[number] = Partition(next_offset=first)
        for record in self._unchanged(number, broker, self._once(number, objects.records(number, first))):
            if record.key > self._tables.last_keys.get(record.folder, ""):
                counts.waiting += 1
                self._proven_misfits.add(Position(number, record.offset))  # the quarantine may know it already
                continue
            counts.landed += 1
            counts.next_offset = record.offset + 1
            self._judge(Position(number, record.offset), record.value, counts)

    def _once(self, number: int, records: Iterator[Landed]) -> Iterator[Landed]:
        """The landed records in the order of their offsets, each the first time that it appears."""
        last = -1
        for record in records:
            if record.offset > last:
                last = record.offset
                yield record
            else:
                self.findings.add(Position(number, record.offset), Breach.DOUBLED, f"it is in {record.key} once more")

    def _unchanged(self, number: int, broker: Broker, records: Iterator[Landed]) -> Iterator[Landed]:
        """The landed records, after each was compared with the topic."""
        begin = max(broker.begin(number), self._since.get(number, 0))
        messages = broker.messages(number, begin)
        offset, value = next(messages, (None, None))
        for record in records:
            while offset is not None and offset < record.offset:
                self.findings.add(Position(number, offset), Breach.DROPPED, "it is not on S3")
                offset, value = next(messages, (None, None))
            if offset == record.offset:
                if value != record.value:
                    detail = f"its bytes in {record.key} are not those on the topic"
                    self.findings.add(Position(number, record.offset), Breach.ALTERED, detail)
                offset, value = next(messages, (None, None))
            elif record.offset >= begin:
                detail = f"it is in {record.key}, but not on the topic"
                self.findings.add(Position(number, record.offset), Breach.INVENTED, detail)
            yield record

    def _judge(self, position: Position, value: bytes | None, counts: Partition) -> None:
        expected, quarantined = self._rules.expected(value), self._tables.quarantined.get(position)
        if isinstance(expected, Problem):
            counts.quarantined += 1
            self._judge_misfit(position, value, expected, quarantined)
        elif quarantined is None:
            self._judge_fitting(position, expected, counts)
        else:
            self._proven_misfits.add(position)
            if quarantined.rules_version == self._version:
                self.findings.add(position, Breach.MISJUDGED, "it fits, but is in quarantine")
                self._judge_fitting(position, expected, counts)
            else:
                counts.quarantined += 1
                counts.replayable += 1

    def _judge_misfit(
        self, position: Position, value: bytes | None, problem: Problem, found: Quarantined | None
    ) -> None:
        if found is None:
            self.findings.add(position, Breach.LOST, f"it does not fit ({problem}), but is not in quarantine")
        elif found.value != value:
            self.findings.add(position, Breach.ALTERED, "its bytes in quarantine are not those that landed")
        elif found.rules_version == self._version and (found.reason, found.field) != problem:
            self.findings.add(position, Breach.MISJUDGED, f"it is in quarantine as {found.reason}, but is {problem}")
        self._proven_misfits.add(position)

    def _judge_fitting(self, position: Position, row: Row, counts: Partition) -> None:
        key = row[self._key]
        found = self._tables.published.get(key)
        if found is None or _order(found.position) < _order(position):
            self.findings.add(position, Breach.LOST, f"neither it nor a later record of key {key} is published")
        elif found.position == position:
            counts.published += 1
            self._proven_keys.add(key)
            if found.row != row:
                self.findings.add(position, Breach.ALTERED, f"the row of key {key} has other cells than the record")
        else:
            counts.superseded += 1

    def look_for_what_has_no_origin(self) -> None:
        """Name the rows of the tables that no landed record stands behind."""
        for key, row in self._tables.published.items():
            if key not in self._proven_keys and self._in_range(row.position):
                self.findings.add(row.position, Breach.INVENTED, f"the row of key {key} comes from no such record")
        for position in self._tables.quarantined.keys() - self._proven_misfits:
            if self._in_range(position):
                self.findings.add(position, Breach.INVENTED, "it is in quarantine, but was not landed")

    def _in_range(self, position: Position) -> bool:
        return position.offset >= self._since.get(position.partition, 0)


def _order(position: Position) -> tuple[int, int]:
    """The later of two records wins, by offset and then by partition."""
    return position.offset, position.partition
