"""Interface of the batch engines.

Both engines compute the same tables from the same rules, SQL and progress metadata. The order of the steps, and with it
the delivery guarantee, is in `batch/cleaning.py` and `batch/rebuild.py`; an engine only executes them.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import ClassVar, Generic, TypeVar

from pin_pipeline.batch.queries import Query
from pin_pipeline.records import RecordType
from pin_pipeline.storage.lake import Lake
from pin_pipeline.storage.object_keys import ObjectName
from pin_pipeline.storage.object_store import ObjectStore
from pin_pipeline.storage.progress import BatchStats, CleaningProgress

Records = TypeVar("Records")
"""Classified records with the columns of `records.classify` and their source position, as the engine holds them."""


class BatchEngine(ABC, Generic[Records]):
    """Executes the steps of cleaning, rebuild and queries.

    Attributes:
        name: name in settings, metadata and logs.
        conflicts: errors of a commit that lost against a concurrent one.
        max_batch_bytes: largest total size of the objects of one batch, if it has more than one; None if a batch may be
            larger than memory.
    """

    name: ClassVar[str]
    conflicts: ClassVar[tuple[type[Exception], ...]]
    max_batch_bytes: int | None

    def cancel(self) -> None:
        """End the current work of all steps, as far as that is possible; the steps then fail."""

    @abstractmethod
    def classify_objects(
        self, record_type: RecordType, store: ObjectStore, names: Sequence[ObjectName]
    ) -> AbstractContextManager[Records]:
        """Read landed objects and classify their records; the records are released at the end of the block."""

    @abstractmethod
    def classify_quarantine(self, record_type: RecordType, lake: Lake) -> AbstractContextManager[Records]:
        """Classify the records in the quarantine of a topic by the current rules."""

    @abstractmethod
    def collect_stats(self, records: Records) -> BatchStats:
        """Count the records, the rejected ones and the findings of the others."""

    @abstractmethod
    def add_to_quarantine(self, record_type: RecordType, lake: Lake, records: Records) -> None:
        """Add the rejected records that the quarantine does not have yet, in one commit.

        Only rows from the lowest offset of these records on are compared.
        """

    @abstractmethod
    def update_quarantine(self, record_type: RecordType, lake: Lake, records: Records, batch: int) -> None:
        """Store the outcome of a re-validation, in one commit.

        Accepted records are marked with the batch that will publish them; the others get the current rejection.
        """

    @abstractmethod
    def remove_published(self, record_type: RecordType, lake: Lake, progress: CleaningProgress) -> None:
        """Remove the records that the last replay has published from the quarantine."""

    @abstractmethod
    def publish(
        self, record_type: RecordType, lake: Lake, records: Records, progress: CleaningProgress, accepted: int
    ) -> None:
        """Publish the latest accepted record of each key, in one commit with the progress.

        The record with the highest offset wins, then the one with the highest partition. The commit is made even if it
        changes no row, and it succeeds only on the version of the table whose progress was read before.

        Args:
            record_type: type of the records.
            lake: location of the cleaned table, which exists.
            records: classified records.
            progress: progress after these records; its batch number identifies the commit.
            accepted: number of accepted records.
        """

    @abstractmethod
    def replace_quarantine(self, record_type: RecordType, lake: Lake, staging: Lake) -> None:
        """Replace the quarantine by the one in a staging area; records in both keep their earlier `first_seen`."""

    @abstractmethod
    def replace_cleaned(self, record_type: RecordType, lake: Lake, staging: Lake, progress: CleaningProgress) -> None:
        """Replace the cleaned table by the one in a staging area, in one commit with the progress."""

    @abstractmethod
    def run_query(self, lake: Lake, query: Query, versions: dict[str, int], metadata: str) -> None:
        """Replace the result table of a query, in one commit.

        Args:
            lake: location of the cleaned tables and of the result table.
            query: the query.
            versions: version of each cleaned table to read, by name of the record type.
            metadata: user metadata of the commit.
        """
