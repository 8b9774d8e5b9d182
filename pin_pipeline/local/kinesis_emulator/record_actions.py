"""Actions on records: put, and read through shard iterators."""

from __future__ import annotations

import time
from collections import deque

from pin_pipeline.local.kinesis_emulator.errors import (
    KinesisRequestError,
    invalid_argument,
    not_found,
    validation_error,
)
from pin_pipeline.local.kinesis_emulator.payloads import RequestBody, ResponseBody, child_shard, decoded_size
from pin_pipeline.local.kinesis_emulator.quotas import (
    MAX_BYTES_PER_GET,
    MAX_PARTITION_KEY_LENGTH,
    MAX_RECORD_BYTES,
    MAX_RECORDS_PER_GET,
    MAX_RECORDS_PER_PUT,
    Quotas,
)
from pin_pipeline.local.kinesis_emulator.sequence_number import SequenceNumber
from pin_pipeline.local.kinesis_emulator.shard_iterator import ShardIterator, encode_iterator
from pin_pipeline.local.kinesis_emulator.stream_lookup import StreamLookup
from pin_pipeline.local.kinesis_emulator.stream_store import (
    HASH_KEYS,
    StoredRecord,
    StoredShard,
    StoredStream,
    epoch_milliseconds,
    hash_key,
)


class RecordActions:
    """Actions on records."""

    def __init__(self, lookup: StreamLookup, quotas: Quotas) -> None:
        self._lookup, self._store, self._quotas = lookup, lookup.store, quotas
        self._reads: dict[tuple[int, int], deque[float]] = {}

    def put_record(self, request: RequestBody) -> ResponseBody:
        """Handle PutRecord."""
        [result] = self._put(self._lookup.stream(request), [request])
        return result

    def put_records(self, request: RequestBody) -> ResponseBody:
        """Handle PutRecords."""
        stream, entries = self._lookup.stream(request), request.get("Records", [])
        if not 1 <= len(entries) <= MAX_RECORDS_PER_PUT:
            raise validation_error(f"{len(entries)} records in the request: expected 1 to {MAX_RECORDS_PER_PUT}")
        return {"FailedRecordCount": 0, "Records": self._put(stream, entries)}

    def get_shard_iterator(self, request: RequestBody) -> ResponseBody:
        """Handle GetShardIterator."""
        stream = self._lookup.stream(request)
        shard = self._lookup.shard(stream, request.get("ShardId", ""))
        match request.get("ShardIteratorType"):
            case "TRIM_HORIZON":
                number = 0
            case "LATEST":
                number = stream.next_number
            case "AT_TIMESTAMP":
                found = self._store.number_at(shard, int(request["Timestamp"] * 1000))
                number = stream.next_number if found is None else found
            case "AT_SEQUENCE_NUMBER":
                number = _starting_number(stream, shard, request)
            case "AFTER_SEQUENCE_NUMBER":
                number = _starting_number(stream, shard, request) + 1
            case other:
                raise invalid_argument(
                    f"invalid ShardIteratorType {other!r}: expected TRIM_HORIZON, LATEST, AT_TIMESTAMP, "
                    "AT_SEQUENCE_NUMBER or AFTER_SEQUENCE_NUMBER"
                )
        return {"ShardIterator": encode_iterator(stream, shard, number)}

    def get_records(self, request: RequestBody) -> ResponseBody:
        """Handle GetRecords."""
        position = ShardIterator.decode(request.get("ShardIterator", ""), self._quotas.iterator_seconds)
        stream = self._store.stream(position.stream)
        if stream.created != position.created:
            raise not_found(f"the iterator belongs to an earlier stream {stream.name}")
        shard = self._lookup.shard(stream, position.shard_id)
        self._throttle(shard)
        limit = request.get("Limit", MAX_RECORDS_PER_GET)
        if not 1 <= limit <= MAX_RECORDS_PER_GET:
            raise validation_error(f"invalid Limit {limit}: expected 1 to {MAX_RECORDS_PER_GET}")
        now = epoch_milliseconds()
        oldest = now - self._lookup.retention(stream)
        records = _limit_bytes(self._store.records(shard, position.number, oldest, limit), MAX_BYTES_PER_GET)
        next_number = records[-1].number + 1 if records else max(position.number, stream.next_number)
        remaining = self._store.records(shard, next_number, oldest, 1)
        response: ResponseBody = {
            "Records": [_record_description(shard, record) for record in records],
            "MillisBehindLatest": now - remaining[0].arrived if remaining else 0,
        }
        if remaining or shard.closed is None:
            return {**response, "NextShardIterator": encode_iterator(stream, shard, next_number)}
        return {**response, "ChildShards": self._children(stream, shard)}

    def _put(self, stream: StoredStream, entries: list[RequestBody]) -> list[ResponseBody]:
        open_shards = self._lookup.open_shards(stream)
        shards = [_shard_for(open_shards, entry) for entry in entries]
        records = [(shard, entry["PartitionKey"], entry["Data"]) for shard, entry in zip(shards, entries, strict=True)]
        numbers = self._store.put(stream, records)
        return [
            {"ShardId": shard.id, "SequenceNumber": shard.sequence_number(number)}
            for shard, number in zip(shards, numbers, strict=True)
        ]

    def _children(self, stream: StoredStream, parent: StoredShard) -> list[ResponseBody]:
        return [
            child_shard(shard)
            for shard in self._store.shards(stream)
            if parent.number in (shard.parent, shard.adjacent_parent)
        ]

    def _throttle(self, shard: StoredShard) -> None:
        """Refuse the read if the shard has reached its limit of reads in the last second."""
        if self._quotas.reads_per_second:
            now, reads = time.monotonic(), self._reads.setdefault((shard.stream, shard.number), deque())
            while reads and reads[0] <= now - 1:
                reads.popleft()
            if len(reads) >= self._quotas.reads_per_second:
                raise KinesisRequestError(
                    "ProvisionedThroughputExceededException", f"Rate exceeded for shard {shard.id}"
                )
            reads.append(now)


def _shard_for(open_shards: list[StoredShard], entry: RequestBody) -> StoredShard:
    """Validate a record, and return the open shard that its hash key belongs to."""
    key, size = entry.get("PartitionKey", ""), decoded_size(entry.get("Data", ""))
    if not 1 <= len(key) <= MAX_PARTITION_KEY_LENGTH:
        raise validation_error(f"partition key of {len(key)} characters: expected 1 to {MAX_PARTITION_KEY_LENGTH}")
    if size > MAX_RECORD_BYTES:
        raise validation_error(f"record of {size} bytes: expected at most {MAX_RECORD_BYTES}")
    position = int(entry["ExplicitHashKey"]) if entry.get("ExplicitHashKey") else hash_key(key)
    for shard in open_shards:
        if shard.first_hash_key <= position <= shard.last_hash_key:
            return shard
    raise invalid_argument(f"invalid ExplicitHashKey {position}: expected less than {HASH_KEYS}")


def _starting_number(stream: StoredStream, shard: StoredShard, request: RequestBody) -> int:
    digits = request.get("StartingSequenceNumber", "")
    try:
        sequence_number = SequenceNumber.parse(digits)
    except ValueError as error:
        raise invalid_argument(f"invalid StartingSequenceNumber {digits!r}") from error
    if (sequence_number.created, sequence_number.shard) != (shard.created, shard.number):
        raise invalid_argument(
            f"StartingSequenceNumber {digits} did not come from shard {shard.id} of stream {stream.name}"
        )
    return sequence_number.number


def _limit_bytes(records: list[StoredRecord], max_bytes: int) -> list[StoredRecord]:
    """Return the first records that together have at most this size, but at least one."""
    total = 0
    for count, record in enumerate(records):
        total += decoded_size(record.data)
        if total > max_bytes and count:
            return records[:count]
    return records


def _record_description(shard: StoredShard, record: StoredRecord) -> ResponseBody:
    return {
        "SequenceNumber": shard.sequence_number(record.number),
        "ApproximateArrivalTimestamp": record.arrived / 1000,
        "Data": record.data,
        "PartitionKey": record.partition_key,
    }
