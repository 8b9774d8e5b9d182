"""Reconciler of a topic: compares its messages, objects and table rows, and collects the discrepancies."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pyarrow as pa

from pin_pipeline.reconciliation.broker import BrokerReader, Message
from pin_pipeline.reconciliation.findings import DiscrepancyType, PartitionCounts, TopicFindings, TopicPosition
from pin_pipeline.reconciliation.objects import LandedRange, ObjectReader
from pin_pipeline.reconciliation.reference_rules import ExpectedOutcome, ExpectedRejection, expected_outcome
from pin_pipeline.reconciliation.tables import QuarantinedRecord, TopicTables, key_column
from pin_pipeline.records import RecordType
from pin_pipeline.records.rules_version import rules_version

END: Message = (2**63, None)
"""Follows the last message of a partition."""


class TopicReconciler:
    """Follows the records of one topic.

    Attributes:
        findings: counts and discrepancies found so far.
    """

    def __init__(self, record_type: RecordType, tables: TopicTables, since: Mapping[int, int]) -> None:
        self.findings = TopicFindings()
        self._record_type = record_type
        self._key = key_column(record_type)
        self._version = rules_version(record_type)
        self._tables = tables
        self._since = since
        self._matched_rows: set[int] = set()
        self._matched_quarantine: set[TopicPosition] = set()
        for position, detail in tables.published.duplicates():
            self.findings.add(position, DiscrepancyType.DUPLICATED, detail)
        for position in tables.duplicates:
            self.findings.add(position, DiscrepancyType.DUPLICATED, "it is in quarantine more than once")

    def follow_partition(self, number: int, broker: BrokerReader, objects: ObjectReader) -> None:
        """Follow the records of one partition."""
        first = self._since.get(number, 0)
        counts = self.findings.partitions[number] = PartitionCounts(next_offset=first)
        messages = _MessageCursor(self.findings, broker, number, first, with_holes=objects.with_holes)
        for landed in self._without_duplicates(number, objects.landed(number, first)):
            messages.compare(landed)
            end = landed.offset + len(landed.values)
            if landed.key > self._tables.last_keys.get(landed.folder, ""):
                counts.waiting += len(landed.values)
                # They may be in quarantine already: cleaning writes to it before it commits its progress.
                self._matched_quarantine.update(TopicPosition(number, offset) for offset in range(landed.offset, end))
            else:
                counts.landed += len(landed.values)
                counts.next_offset = end
                self._reconcile_object(number, landed, counts)

    def find_unexpected_rows(self) -> None:
        """Report the rows of the tables that have no landed record."""
        table = self._tables.published
        for row in set(range(len(table.offsets))) - self._matched_rows:
            position = table.position(row)
            if self._in_range(position):
                detail = f"the row of key {table.keys[row]} does not come from such a record"
                self.findings.add(position, DiscrepancyType.UNEXPECTED, detail)
        for position in self._tables.quarantined.keys() - self._matched_quarantine:
            if self._in_range(position):
                self.findings.add(position, DiscrepancyType.UNEXPECTED, "it is in quarantine, but was not landed")

    def _without_duplicates(self, number: int, objects: Iterator[LandedRange]) -> Iterator[LandedRange]:
        """Yield the objects without the records that an earlier object has too; report these."""
        end = 0
        for landed in objects:
            duplicated = landed.values[: max(0, end - landed.offset)]
            for offset in range(landed.offset, landed.offset + len(duplicated)):
                position = TopicPosition(number, offset)
                self.findings.add(position, DiscrepancyType.DUPLICATED, f"it is in {landed.key} once more")
            if len(duplicated) < len(landed.values):
                rest = landed.offset + len(duplicated)
                end = landed.offset + len(landed.values)
                yield LandedRange(landed.key, rest, landed.values[len(duplicated) :])

    def _reconcile_object(self, partition: int, landed: LandedRange, counts: PartitionCounts) -> None:
        """Find each record of an object that was cleaned in one of the tables, or a later record of its key."""
        expected = expected_outcome(self._record_type, landed.values)
        published = self._match_published(partition, landed, expected)
        quarantined = self._tables.quarantined_between(partition, landed.offset, landed.offset + len(landed.values))
        counts.published += len(published)
        for number, rejection in expected.rejections.items():
            counts.quarantined += 1
            position = TopicPosition(partition, landed.offset + number)
            self._check_rejected(position, landed.values[number], rejection, quarantined.get(position))
        for position, record in quarantined.items():
            number = position.offset - landed.offset
            if number not in expected.rejections:
                self._check_quarantined_valid(position, record, counts, published=number in published)
                if record.rules_version != self._version:
                    published.add(number)
        if superseded := set(range(len(landed.values))) - published - expected.rejections.keys():
            keys = expected.rows[self._key].to_pylist()
            for number in superseded:
                self._check_superseded(TopicPosition(partition, landed.offset + number), keys[number], counts)

    def _match_published(self, partition: int, landed: LandedRange, expected: ExpectedOutcome) -> set[int]:
        """Return the numbers of the records that are in the table; report rows with other cells."""
        table = self._tables.published
        rows = table.between(partition, landed.offset, landed.offset + len(landed.values))
        numbers = [offset - landed.offset for offset in table.offsets[rows.start : rows.stop]]
        wanted, found = expected.rows.take(pa.array(numbers, pa.int64())), table.rows.slice(rows.start, len(rows))
        self._matched_rows.update(rows)
        if wanted.equals(found) and expected.rejections.keys().isdisjoint(numbers):
            return set(numbers)
        published = set()
        wanted_keys = wanted[self._key].to_pylist()
        for row, number, wanted_key, wanted_cells, found_cells in zip(
            rows, numbers, wanted_keys, _tuples(wanted), _tuples(found), strict=True
        ):
            key = table.keys[row]
            if number in expected.rejections or wanted_key != key:
                self._matched_rows.remove(row)
                continue
            published.add(number)
            if wanted_cells != found_cells:
                detail = f"the row of key {key} has other cells than the record"
                self.findings.add(table.position(row), DiscrepancyType.MODIFIED, detail)
        return published

    def _check_rejected(
        self,
        position: TopicPosition,
        value: bytes | None,
        rejection: ExpectedRejection,
        found: QuarantinedRecord | None,
    ) -> None:
        """Check a record that should be in quarantine."""
        if found is None:
            detail = f"it is invalid ({rejection}), but not in quarantine"
            self.findings.add(position, DiscrepancyType.MISSING, detail)
        elif found.value != value:
            self.findings.add(position, DiscrepancyType.MODIFIED, "its bytes in quarantine are not those that landed")
        elif found.rules_version == self._version and (found.reason, found.field) != rejection:
            detail = f"it is in quarantine as {found.reason}, but is {rejection}"
            self.findings.add(position, DiscrepancyType.MISCLASSIFIED, detail)
        self._matched_quarantine.add(position)

    def _check_quarantined_valid(
        self, position: TopicPosition, found: QuarantinedRecord, counts: PartitionCounts, *, published: bool
    ) -> None:
        """Check a valid record that is in quarantine."""
        self._matched_quarantine.add(position)
        if found.rules_version == self._version:
            self.findings.add(position, DiscrepancyType.MISCLASSIFIED, "it is valid, but in quarantine")
        elif published:
            self.findings.add(position, DiscrepancyType.DUPLICATED, "it is in quarantine, and published as well")
        else:
            counts.quarantined += 1
            counts.replayable += 1

    def _check_superseded(self, position: TopicPosition, key: object, counts: PartitionCounts) -> None:
        """Check a valid record that is in neither table."""
        published = self._tables.published
        row = published.by_key.get(key)
        if row is None or _order(published.position(row)) < _order(position):
            detail = f"neither it nor a later record of key {key} is published"
            self.findings.add(position, DiscrepancyType.MISSING, detail)
        else:
            counts.superseded += 1

    def _in_range(self, position: TopicPosition) -> bool:
        return position.offset >= self._since.get(position.partition, 0)


class _MessageCursor:
    """Steps through the messages of one partition while its objects are compared with them in order."""

    def __init__(
        self, findings: TopicFindings, broker: BrokerReader, number: int, first: int, *, with_holes: bool
    ) -> None:
        self._findings, self._number = findings, number
        self._with_holes = with_holes
        # With holes, the next offset of the previous reconciliation may be lower than its last record's: skip those.
        self._skip_reconciled = with_holes and first > 0
        self._begin = max(broker.begin(number), first)
        self._messages = broker.messages(number, self._begin)
        self._offset, self._value = next(self._messages, END)

    def compare(self, landed: LandedRange) -> None:
        """Report the differences between the next object and the topic."""
        if self._skip_reconciled:
            self._skip_reconciled = False
            while self._offset < landed.offset:
                self._advance()
        for offset, value in enumerate(landed.values, landed.offset):
            while self._offset < offset:
                self._add(self._offset, DiscrepancyType.NOT_LANDED, "it is not on S3")
                self._advance()
            if self._offset == offset or (self._with_holes and self._offset > offset >= self._begin):
                if self._value != value:
                    detail = f"its bytes in {landed.key} are not those on the topic"
                    self._add(offset, DiscrepancyType.MODIFIED, detail)
                self._advance()
            elif offset >= self._begin:
                self._add(offset, DiscrepancyType.UNEXPECTED, f"it is in {landed.key}, but not on the topic")

    def _advance(self) -> None:
        self._offset, self._value = next(self._messages, END)

    def _add(self, offset: int, discrepancy_type: DiscrepancyType, detail: str) -> None:
        self._findings.add(TopicPosition(self._number, offset), discrepancy_type, detail)


def _tuples(rows: pa.Table) -> Iterator[tuple[object, ...]]:
    return zip(*(column.to_pylist() for column in rows.columns), strict=True)


def _order(position: TopicPosition) -> tuple[int, int]:
    """Return the sort key that decides which of two records of a key is the later one."""
    return position.offset, position.partition
