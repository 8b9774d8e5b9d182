"""How far a cleaned table has come. It lies in the metadata of the commit that brought it there, so both are one.

A separate file could be a commit behind after a crash; this cannot.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace

from pin_pipeline.lakehouse.observed import Observed
from pin_pipeline.lakehouse.snapshot import Snapshot
from pin_pipeline.landing.names import AREAS, ObjectName
from pin_pipeline.landing.store import ObjectStore


@dataclass(frozen=True)
class Progress:
    """Totals over all records read so far.

    Attributes:
        batch: how many batches were committed; each commit must be exactly the next one.
        last_keys: the last object read, by folder.
        landed: records read.
        quarantined: records of these that do not fit.
        superseded: records that fit, but are not the latest of their key.
        replayed: the batch that last published records out of quarantine; those that bear its number there are out.
        observed: what the last batch that was read was like.
    """

    batch: int = 0
    last_keys: dict[str, str] = field(default_factory=dict)
    landed: int = 0
    quarantined: int = 0
    superseded: int = 0
    replayed: int | None = None
    observed: Observed = field(default_factory=Observed)

    @classmethod
    def of(cls, table: Snapshot | None) -> Progress:
        """The progress of a cleaned table, from its last commit; none where there is no table."""
        if table is None:
            return cls()
        commit = table.last_commit
        metadata = dict(commit.metadata)
        fit = metadata.pop("fit")
        written = commit.metrics.get("numOutputRows", 0)
        inserted = int(
            commit.metrics.get("numTargetRowsInserted", written)
        )  # what a merge says, else what a write says
        progress = cls(**metadata | {"observed": Observed.from_dict(metadata["observed"])})
        return replace(progress, superseded=progress.superseded + fit - inserted)

    def metadata(self, fit: int = 0) -> str:
        """The commit metadata that says so, for a commit that publishes `fit` records.

        How many of these are superseded only the commit itself will know: `of` adds it from the commit's metrics.
        """
        return json.dumps({**asdict(self), "fit": fit})

    def after(self, names: Sequence[ObjectName], observed: Observed) -> Progress:
        """The progress once these objects are read."""
        return replace(
            self,
            batch=self.batch + 1,
            last_keys=self.last_keys | {name.folder: name.key for name in sorted(names)},
            landed=self.landed + observed.records,
            quarantined=self.quarantined + observed.quarantined,
            observed=observed,
        )

    def after_replay(self, fit: int) -> Progress:
        """The progress once this many records have come out of quarantine."""
        batch = self.batch + 1
        return replace(self, batch=batch, quarantined=self.quarantined - fit, replayed=batch)

    @property
    def in_quarantine(self) -> str:
        """The SQL condition of rows of the quarantine that are still in it."""
        return "true" if self.replayed is None else f"replayed_in is distinct from {self.replayed}"

    def new_objects(self, store: ObjectStore, topic: str) -> Iterator[ObjectName]:
        """The objects of a topic that came since and are final; lists none that were read."""
        proven = store.proven(topic)
        for name in self._since(store, topic):
            if proven is None or (name.partition in proven and name.offset < proven[name.partition].next_offset):
                yield name

    def _since(self, store: ObjectStore, topic: str) -> Iterator[ObjectName]:
        for area in AREAS:
            for partition in store.partitions(area, topic):
                first = ObjectName(area, topic, partition, 0)
                last_key = self.last_keys.get(first.folder)
                if last_key is None:
                    yield from store.names_from(first)
                else:
                    yield from store.names_from(ObjectName.parse(last_key), inclusive=False)
