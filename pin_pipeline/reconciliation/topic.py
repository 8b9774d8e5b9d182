"""Prove of every record of a topic that it was published, superseded or quarantined, once and as it came."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pyarrow as pa
from botocore.exceptions import BotoCoreError, ClientError
from confluent_kafka import KafkaException

from pin_pipeline.kafka.connection import KafkaConnection
from pin_pipeline.reconciliation.broker import BrokerReader, Message
from pin_pipeline.reconciliation.findings import Breach, PartitionCounts, TopicFindings, TopicPosition
from pin_pipeline.reconciliation.objects import LandedRange, ObjectReader
from pin_pipeline.reconciliation.reference_rules import ExpectedRejection, ExpectedRow, expect
from pin_pipeline.reconciliation.tables import Quarantined, TopicTables, key_column
from pin_pipeline.records import RecordType
from pin_pipeline.records.rules_version import rules_version
from pin_pipeline.storage.lake import Lake
from pin_pipeline.storage.object_store import ObjectStore

# Behind the last message of a partition.
NO_MESSAGE: Message = (2**63, None)


class ReconciliationError(Exception):
    """An audit cannot be made; says what was tried and where."""


def reconcile_topic(
    record_type: RecordType,
    topic: str,
    connection: KafkaConnection,
    lake: Lake,
    store: ObjectStore,
    since: Mapping[int, int] | None = None,
) -> TopicFindings:
    """Audit a topic as it stands on the broker, on S3 and in the tables; see `audit`.

    Raises:
        AuditError: the broker or S3 cannot be read.
        AwsError: AWS does not tell how the cluster is reached.
    """
    try:
        broker, since = BrokerReader(connection, topic), since or {}
        try:
            # No record is superseded by one of a lower offset, so rows of lower offsets need not be read.
            first = min((since.get(number, 0) for number in broker.partitions()), default=0)
            # The tables before the objects: what lands while the audit goes on is not yet expected in them.
            published, quarantine = (
                lake.snapshot(f"cleaned/{record_type.name}"),
                lake.snapshot(f"quarantine/{record_type.name}"),
            )
            tables = TopicTables.read(record_type, published, quarantine, first)
            return audit(record_type, broker, ObjectReader(store.client, store.bucket, topic), tables, since)
        finally:
            broker.close()
    except (KafkaException, BotoCoreError, ClientError) as error:
        raise ReconciliationError(
            f"could not audit topic {topic} on the Kafka broker at {connection.place} and in {lake.path('')}: "
            f"{error!r}; check that both are up (`pin-pipeline status`)"
        ) from error


def audit(
    record_type: RecordType, broker: BrokerReader, objects: ObjectReader, tables: TopicTables, since: Mapping[int, int]
) -> TopicFindings:
    """Follow the records from the topic to where they are now.

    Args:
        kind: what the records should be.
        broker: the topic itself. Records that have aged out of it are followed from S3 on.
        objects: what was landed.
        tables: what was published and quarantined.
        since: the offset to begin with by partition, 0 where there is none; it must begin an object.
    """
    auditor = _TopicReconciler(record_type, tables, since)
    for number in sorted({*broker.partitions(), *(since or objects.partitions())}):
        if number in since and broker.end(number) <= since[number]:
            auditor.findings.partitions[number] = PartitionCounts(next_offset=since[number])  # nothing came
        else:
            auditor.follow(number, broker, objects)
    auditor.look_for_what_has_no_origin()
    return auditor.findings


class _TopicReconciler:
    def __init__(self, record_type: RecordType, tables: TopicTables, since: Mapping[int, int]) -> None:
        self.findings = TopicFindings()
        self._record_type = record_type
        self._key = key_column(record_type)
        self._version = rules_version(record_type)
        self._tables = tables
        self._since = since
        self._proven_rows: set[int] = set()
        self._proven_misfits: set[TopicPosition] = set()
        for position, what in tables.published.doubled():
            self.findings.add(position, Breach.DOUBLED, what)
        for position in tables.doubled:
            self.findings.add(position, Breach.DOUBLED, "it is in quarantine once more")

    def follow(self, number: int, broker: BrokerReader, objects: ObjectReader) -> None:
        """Follow the records of one partition."""
        first = self._since.get(number, 0)
        counts = self.findings.partitions[number] = PartitionCounts(next_offset=first)
        topic = _Topic(self.findings, broker, number, first, with_holes=objects.with_holes)
        for landed in self._once(number, objects.landed(number, first)):
            topic.compare(landed)
            end = landed.offset + len(landed.values)
            if landed.key > self._tables.last_keys.get(landed.folder, ""):
                counts.waiting += len(landed.values)
                # The quarantine may know them already.
                self._proven_misfits.update(TopicPosition(number, offset) for offset in range(landed.offset, end))
            else:
                counts.landed += len(landed.values)
                counts.next_offset = end
                self._judge(number, landed, counts)

    def _once(self, number: int, objects: Iterator[LandedRange]) -> Iterator[LandedRange]:
        """The objects, without the records that an earlier one has as well."""
        end = 0
        for landed in objects:
            doubled = landed.values[: max(0, end - landed.offset)]
            for offset in range(landed.offset, landed.offset + len(doubled)):
                self.findings.add(TopicPosition(number, offset), Breach.DOUBLED, f"it is in {landed.key} once more")
            if len(doubled) < len(landed.values):
                rest = landed.offset + len(doubled)
                end = landed.offset + len(landed.values)
                yield LandedRange(landed.key, rest, landed.values[len(doubled) :])

    def _judge(self, partition: int, landed: LandedRange, counts: PartitionCounts) -> None:
        """Find each record of an object that was read in one of the tables, or later ones of their keys."""
        expected = expect(self._record_type, landed.values)
        published = self._published(partition, landed, expected)
        quarantined = self._tables.quarantined_between(partition, landed.offset, landed.offset + len(landed.values))
        counts.published += len(published)
        for number, misfit in expected.misfits.items():
            counts.quarantined += 1
            position = TopicPosition(partition, landed.offset + number)
            self._judge_misfit(position, landed.values[number], misfit, quarantined.get(position))
        for position, record in quarantined.items():
            number = position.offset - landed.offset
            if number not in expected.misfits:
                self._judge_quarantined(position, record, counts, published=number in published)
                if record.rules_version != self._version:
                    published.add(number)
        if superseded := set(range(len(landed.values))) - published - expected.misfits.keys():
            keys = expected.rows[self._key].to_pylist()
            for number in superseded:
                self._judge_superseded(TopicPosition(partition, landed.offset + number), keys[number], counts)

    def _published(self, partition: int, landed: LandedRange, expected: ExpectedRow) -> set[int]:
        """The numbers of the records that stand in the table; names the rows that have other cells."""
        table = self._tables.published
        rows = table.between(partition, landed.offset, landed.offset + len(landed.values))
        numbers = [offset - landed.offset for offset in table.offsets[rows.start : rows.stop]]
        wanted, found = expected.rows.take(pa.array(numbers, pa.int64())), table.rows.slice(rows.start, len(rows))
        self._proven_rows.update(rows)
        if wanted.equals(found) and expected.misfits.keys().isdisjoint(numbers):
            return set(numbers)
        published = set()
        keys = wanted[self._key].to_pylist()
        for row, number, key_of_record, cells, its_cells in zip(
            rows, numbers, keys, _tuples(wanted), _tuples(found), strict=True
        ):
            key = table.keys[row]
            if number in expected.misfits or key_of_record != key:
                self._proven_rows.remove(row)
                continue
            published.add(number)
            if cells != its_cells:
                detail = f"the row of key {key} has other cells than the record"
                self.findings.add(table.position(row), Breach.ALTERED, detail)
        return published

    def _judge_misfit(
        self, position: TopicPosition, value: bytes | None, misfit: ExpectedRejection, found: Quarantined | None
    ) -> None:
        if found is None:
            self.findings.add(position, Breach.LOST, f"it does not fit ({misfit}), but is not in quarantine")
        elif found.value != value:
            self.findings.add(position, Breach.ALTERED, "its bytes in quarantine are not those that landed")
        elif found.rules_version == self._version and (found.reason, found.field) != misfit:
            self.findings.add(position, Breach.MISJUDGED, f"it is in quarantine as {found.reason}, but is {misfit}")
        self._proven_misfits.add(position)

    def _judge_quarantined(
        self, position: TopicPosition, found: Quarantined, counts: PartitionCounts, *, published: bool
    ) -> None:
        """Judge a record that fits, but is in quarantine."""
        self._proven_misfits.add(position)
        if found.rules_version == self._version:
            self.findings.add(position, Breach.MISJUDGED, "it fits, but is in quarantine")
        elif published:
            self.findings.add(position, Breach.DOUBLED, "it is in quarantine, and published as well")
        else:
            counts.quarantined += 1
            counts.replayable += 1

    def _judge_superseded(self, position: TopicPosition, key: object, counts: PartitionCounts) -> None:
        """Judge a record that fits, but is in none of the tables."""
        published = self._tables.published
        row = published.by_key.get(key)
        if row is None or _order(published.position(row)) < _order(position):
            self.findings.add(position, Breach.LOST, f"neither it nor a later record of key {key} is published")
        else:
            counts.superseded += 1

    def look_for_what_has_no_origin(self) -> None:
        """Name the rows of the tables that no landed record stands behind."""
        table = self._tables.published
        for row in set(range(len(table.offsets))) - self._proven_rows:
            position = table.position(row)
            if self._in_range(position):
                detail = f"the row of key {table.keys[row]} comes from no such record"
                self.findings.add(position, Breach.INVENTED, detail)
        for position in self._tables.quarantined.keys() - self._proven_misfits:
            if self._in_range(position):
                self.findings.add(position, Breach.INVENTED, "it is in quarantine, but was not landed")

    def _in_range(self, position: TopicPosition) -> bool:
        return position.offset >= self._since.get(position.partition, 0)


class _Topic:
    """The messages of one partition, with which its objects are compared one after another."""

    def __init__(
        self, findings: TopicFindings, broker: BrokerReader, number: int, first: int, *, with_holes: bool
    ) -> None:
        self._findings, self._number = findings, number
        self._with_holes = with_holes
        # With holes, an audit may end at a lower offset than that of the last record that it judged.
        self._judged_before = with_holes and first > 0
        self._begin = max(broker.begin(number), first)
        self._messages = broker.messages(number, self._begin)
        self._offset, self._value = next(self._messages, NO_MESSAGE)

    def compare(self, landed: LandedRange) -> None:
        """Name what differs between the next object and the topic."""
        if self._judged_before:
            self._judged_before = False
            while self._offset < landed.offset:
                self._advance()
        for place, value in enumerate(landed.values, landed.offset):
            while self._offset < place:
                self._add(self._offset, Breach.DROPPED, "it is not on S3")
                self._advance()
            if self._offset == place or (self._with_holes and self._offset > place >= self._begin):
                if self._value != value:
                    self._add(place, Breach.ALTERED, f"its bytes in {landed.key} are not those on the topic")
                self._advance()
            elif place >= self._begin:
                self._add(place, Breach.INVENTED, f"it is in {landed.key}, but not on the topic")

    def _advance(self) -> None:
        self._offset, self._value = next(self._messages, NO_MESSAGE)

    def _add(self, offset: int, breach: Breach, detail: str) -> None:
        self._findings.add(TopicPosition(self._number, offset), breach, detail)


def _tuples(rows: pa.Table) -> Iterator[tuple[object, ...]]:
    return zip(*(column.to_pylist() for column in rows.columns), strict=True)


def _order(position: TopicPosition) -> tuple[int, int]:
    """The later of two records wins, by offset and then by partition."""
    return position.offset, position.partition
