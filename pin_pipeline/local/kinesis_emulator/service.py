"""What the service does at each of its actions, by the AWS documentation of Kinesis Data Streams (API of 2013-12-02).

Streams are active at once. Limits of throughput hold only where the settings name some.
"""

from __future__ import annotations

import base64
import json
import os
import re
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pin_pipeline.local.kinesis_emulator.errors import KinesisError
from pin_pipeline.local.kinesis_emulator.log import (
    HASH_KEYS,
    SHARD_ID,
    StoredRecord,
    StoredShard,
    Stream,
    StreamLog,
    epoch_milliseconds,
    hash_key,
)
from pin_pipeline.local.kinesis_emulator.sequence import Sequence

ACCOUNT = "000000000000"
SHARDS_A_STREAM, RECORDS_A_PUT, RECORDS_A_GET, BYTES_A_GET = 10_000, 500, 10_000, 10 * 2**20
BYTES_A_RECORD, CHARACTERS_A_KEY = 2**20, 256
LEAST_HOURS_KEPT, MOST_HOURS_KEPT = 24, 8_760
NAME = re.compile(r"[a-zA-Z0-9_.-]{1,128}")
HOUR = 3_600_000

Request = Mapping[str, Any]
Answer = dict[str, Any]


@dataclass(frozen=True)
class Limits:
    """What tests turn down: how long an iterator and a record live, and reads of a shard a second (0: any number)."""

    iterator_seconds: float = 300
    retention_seconds: float | None = None
    reads_a_second: int = 0

    @classmethod
    def from_environment(cls) -> Limits:
        """As PIN_KINESIS_ITERATOR_SECONDS, PIN_KINESIS_RETENTION_SECONDS and PIN_KINESIS_READS_A_SECOND say."""
        retention = os.environ.get("PIN_KINESIS_RETENTION_SECONDS")
        return cls(
            float(os.environ.get("PIN_KINESIS_ITERATOR_SECONDS", "300")),
            float(retention) if retention else None,
            int(os.environ.get("PIN_KINESIS_READS_A_SECOND", "0")),
        )


class Service:
    """The actions."""

    def __init__(self, log: StreamLog, region: str, limits: Limits) -> None:
        self._log = log
        self._region = region
        self._limits = limits
        self._reads: dict[tuple[int, int], deque[float]] = {}
        self._actions: dict[str, Callable[[Request], Answer]] = {
            "CreateStream": self._create_stream,
            "DeleteStream": self._delete_stream,
            "DescribeStream": self._describe_stream,
            "DescribeStreamSummary": self._describe_stream_summary,
            "GetRecords": self._get_records,
            "GetShardIterator": self._get_shard_iterator,
            "IncreaseStreamRetentionPeriod": self._retain,
            "DecreaseStreamRetentionPeriod": self._retain,
            "ListShards": self._list_shards,
            "ListStreams": self._list_streams,
            "MergeShards": self._merge_shards,
            "PutRecord": self._put_record,
            "PutRecords": self._put_records,
            "SplitShard": self._split_shard,
        }

    def call(self, action: str, request: Request) -> Answer:
        """The answer to an action.

        Raises:
            KinesisError: the service refuses.
        """
        if action not in self._actions:
            raise KinesisError("UnknownOperationException", f"{action} is not known here")
        return self._actions[action](request)

    def _create_stream(self, request: Request) -> Answer:
        name, shards = request.get("StreamName", ""), request.get("ShardCount", 1)
        if not NAME.fullmatch(name):
            raise _violated(f"StreamName {name!r} must match {NAME.pattern}")
        if not 1 <= shards <= SHARDS_A_STREAM:
            raise _violated(f"ShardCount {shards} must be 1 to {SHARDS_A_STREAM}")
        self._log.create(name, shards, LEAST_HOURS_KEPT)
        return {}

    def _delete_stream(self, request: Request) -> Answer:
        self._log.delete(self._stream(request))
        return {}

    def _list_streams(self, request: Request) -> Answer:
        after = request.get("NextToken") or request.get("ExclusiveStartStreamName", "")
        streams, limit = [stream for stream in self._log.streams() if stream.name > after], request.get("Limit", 100)
        page, more = [stream.name for stream in streams[:limit]], len(streams) > limit
        summaries = [
            {
                "StreamName": stream.name,
                "StreamARN": self._arn(stream.name),
                "StreamStatus": "ACTIVE",
                "StreamCreationTimestamp": stream.created / 1000,
                "StreamModeDetails": {"StreamMode": "PROVISIONED"},
            }
            for stream in streams[:limit]
        ]
        answer: Answer = {"StreamNames": page, "StreamSummaries": summaries, "HasMoreStreams": more}
        return {**answer, "NextToken": page[-1]} if more else answer

    def _describe_stream(self, request: Request) -> Answer:
        stream = self._stream(request)
        shards = _after(self._log.shards(stream), request.get("ExclusiveStartShardId", ""))
        limit = request.get("Limit", 100)
        shown = [_described(shard) for shard in shards[:limit]]
        return {"StreamDescription": {**self._summary(stream), "Shards": shown, "HasMoreShards": len(shards) > limit}}

    def _describe_stream_summary(self, request: Request) -> Answer:
        stream = self._stream(request)
        count = sum(shard.closed is None for shard in self._log.shards(stream))
        return {"StreamDescriptionSummary": {**self._summary(stream), "OpenShardCount": count, "ConsumerCount": 0}}

    def _list_shards(self, request: Request) -> Answer:
        if token := request.get("NextToken"):
            name, _, after = base64.b64decode(token).decode().partition("/")
            stream = self._log.stream(name)
        else:
            stream, after = self._stream(request), request.get("ExclusiveStartShardId", "")
        shards, limit = _after(self._log.shards(stream), after), request.get("MaxResults", 1_000)
        answer: Answer = {"Shards": [_described(shard) for shard in shards[:limit]]}
        if len(shards) > limit:
            answer["NextToken"] = base64.b64encode(f"{stream.name}/{shards[limit - 1].id}".encode()).decode()
        return answer

    def _put_record(self, request: Request) -> Answer:
        stream = self._stream(request)
        shard = _holding(self._open(stream), request)
        [number] = self._log.put(stream, [(shard, request["PartitionKey"], request["Data"])])
        return {"ShardId": shard.id, "SequenceNumber": shard.sequence(number)}

    def _put_records(self, request: Request) -> Answer:
        stream, entries = self._stream(request), request.get("Records", [])
        if not 1 <= len(entries) <= RECORDS_A_PUT:
            raise _violated(f"{len(entries)} records in a request, but 1 to {RECORDS_A_PUT} are allowed")
        open_shards = self._open(stream)
        shards = [_holding(open_shards, entry) for entry in entries]
        put = [(shard, entry["PartitionKey"], entry["Data"]) for shard, entry in zip(shards, entries, strict=True)]
        numbers = self._log.put(stream, put)
        return {
            "FailedRecordCount": 0,
            "Records": [
                {"ShardId": shard.id, "SequenceNumber": shard.sequence(number)}
                for shard, number in zip(shards, numbers, strict=True)
            ],
        }

    def _get_shard_iterator(self, request: Request) -> Answer:
        stream = self._stream(request)
        shard = self._shard(stream, request.get("ShardId", ""))
        match request.get("ShardIteratorType"):
            case "TRIM_HORIZON":
                number = 0
            case "LATEST":
                number = stream.next_number
            case "AT_TIMESTAMP":
                found = self._log.number_at(shard, int(request["Timestamp"] * 1000))
                number = stream.next_number if found is None else found
            case "AT_SEQUENCE_NUMBER":
                number = _number(stream, shard, request)
            case "AFTER_SEQUENCE_NUMBER":
                number = _number(stream, shard, request) + 1
            case other:
                raise _invalid(f"ShardIteratorType {other!r} is none of those that there are")
        return {"ShardIterator": _iterator(stream, shard, number)}

    def _get_records(self, request: Request) -> Answer:
        name, created, shard_id, number = self._position(request.get("ShardIterator", ""))
        stream = self._log.stream(name)
        if stream.created != created:
            raise KinesisError("ResourceNotFoundException", f"the iterator is of an earlier stream {name}")
        shard = self._shard(stream, shard_id)
        self._count_read(shard)
        limit = request.get("Limit", RECORDS_A_GET)
        if not 1 <= limit <= RECORDS_A_GET:
            raise _violated(f"Limit {limit} must be 1 to {RECORDS_A_GET}")
        now = epoch_milliseconds()
        oldest = now - self._retention(stream)
        records = _at_most(BYTES_A_GET, self._log.records(shard, number, oldest, limit))
        behind = records[-1].number + 1 if records else max(number, stream.next_number)
        rest = self._log.records(shard, behind, oldest, 1)
        answer: Answer = {
            "Records": [
                {
                    "SequenceNumber": shard.sequence(record.number),
                    "ApproximateArrivalTimestamp": record.arrived / 1000,
                    "Data": record.data,
                    "PartitionKey": record.partition_key,
                }
                for record in records
            ],
            "MillisBehindLatest": now - rest[0].arrived if rest else 0,
        }
        if rest or shard.closed is None:
            answer["NextShardIterator"] = _iterator(stream, shard, behind)
        else:
            answer["ChildShards"] = [
                {"ShardId": child.id, "ParentShards": _parents(child), "HashKeyRange": _hash_keys(child)}
                for child in self._log.shards(stream)
                if shard.number in (child.parent, child.adjacent_parent)
            ]
        return answer

    def _retain(self, request: Request) -> Answer:
        hours = request["RetentionPeriodHours"]
        if not LEAST_HOURS_KEPT <= hours <= MOST_HOURS_KEPT:
            raise _violated(f"RetentionPeriodHours {hours} must be {LEAST_HOURS_KEPT} to {MOST_HOURS_KEPT}")
        self._log.retain(self._stream(request), hours)
        return {}

    def _split_shard(self, request: Request) -> Answer:
        stream = self._stream(request)
        shard = self._open_shard(stream, request.get("ShardToSplit", ""))
        middle = int(request["NewStartingHashKey"])
        if not shard.first_hash_key < middle <= shard.last_hash_key:
            raise _invalid(f"NewStartingHashKey {middle} is not within the hash keys of {shard.id}")
        self._log.reshard(stream, [shard], [(shard.first_hash_key, middle - 1), (middle, shard.last_hash_key)])
        return {}

    def _merge_shards(self, request: Request) -> Answer:
        stream = self._stream(request)
        one, other = (
            self._open_shard(stream, request.get(name, "")) for name in ("ShardToMerge", "AdjacentShardToMerge")
        )
        low, high = sorted((one, other), key=lambda shard: shard.first_hash_key)
        if low.last_hash_key + 1 != high.first_hash_key:
            raise _invalid(f"{one.id} and {other.id} are not adjacent")
        self._log.reshard(stream, [one, other], [(low.first_hash_key, high.last_hash_key)])
        return {}

    def _stream(self, request: Request) -> Stream:
        name = request.get("StreamName") or request.get("StreamARN", "").rpartition("/")[2]
        if not name:
            raise _invalid("StreamName or StreamARN must be given")
        stream = self._log.stream(name)
        self._log.expire(stream, epoch_milliseconds() - self._retention(stream))
        return stream

    def _retention(self, stream: Stream) -> int:
        seconds = self._limits.retention_seconds
        return stream.retention_hours * HOUR if seconds is None else int(seconds * 1000)

    def _summary(self, stream: Stream) -> Answer:
        return {
            "StreamName": stream.name,
            "StreamARN": self._arn(stream.name),
            "StreamStatus": "ACTIVE",
            "StreamModeDetails": {"StreamMode": "PROVISIONED"},
            "RetentionPeriodHours": self._retention(stream) / HOUR,
            "StreamCreationTimestamp": stream.created / 1000,
            "EnhancedMonitoring": [{"ShardLevelMetrics": []}],
            "EncryptionType": "NONE",
        }

    def _arn(self, name: str) -> str:
        return f"arn:aws:kinesis:{self._region}:{ACCOUNT}:stream/{name}"

    def _shard(self, stream: Stream, shard_id: str) -> StoredShard:
        for shard in self._log.shards(stream):
            if shard.id == shard_id:
                return shard
        raise KinesisError("ResourceNotFoundException", f"Shard {shard_id} in stream {stream.name} not found.")

    def _open(self, stream: Stream) -> list[StoredShard]:
        return [shard for shard in self._log.shards(stream) if shard.closed is None]

    def _open_shard(self, stream: Stream, shard_id: str) -> StoredShard:
        shard = self._shard(stream, shard_id)
        if shard.closed is not None:
            raise _invalid(f"{shard_id} is closed")
        return shard

    def _position(self, iterator: str) -> tuple[str, int, str, int]:
        """The stream, when that was created, the shard, and the number to read from."""
        try:
            name, created, shard_id, number, given = json.loads(base64.b64decode(iterator, validate=True))
        except ValueError as error:
            raise _invalid("ShardIterator is none that was given") from error
        if time.time() - given > self._limits.iterator_seconds:
            raise KinesisError("ExpiredIteratorException", "the iterator has expired")
        return name, created, shard_id, number

    def _count_read(self, shard: StoredShard) -> None:
        """Refuse a read where the shard had as many in the last second as it may have."""
        if self._limits.reads_a_second:
            now, reads = time.monotonic(), self._reads.setdefault((shard.stream, shard.number), deque())
            while reads and reads[0] <= now - 1:
                reads.popleft()
            if len(reads) >= self._limits.reads_a_second:
                raise KinesisError("ProvisionedThroughputExceededException", f"Rate exceeded for shard {shard.id}")
            reads.append(now)


def _invalid(message: str) -> KinesisError:
    return KinesisError("InvalidArgumentException", message)


def _violated(message: str) -> KinesisError:
    """What AWS says of values that are too long, too large or too many."""
    return KinesisError("ValidationException", message)


def _holding(open_shards: list[StoredShard], entry: Request) -> StoredShard:
    """The open shard that a record goes to."""
    key, size = entry.get("PartitionKey", ""), _size(entry.get("Data", ""))
    if not 1 <= len(key) <= CHARACTERS_A_KEY:
        raise _violated(f"a partition key has {len(key)} characters, but 1 to {CHARACTERS_A_KEY} are allowed")
    if size > BYTES_A_RECORD:
        raise _violated(f"a record has {size} bytes, but {BYTES_A_RECORD} are allowed")
    place = int(entry["ExplicitHashKey"]) if entry.get("ExplicitHashKey") else hash_key(key)
    for shard in open_shards:
        if shard.first_hash_key <= place <= shard.last_hash_key:
            return shard
    raise _invalid(f"hash key {place} must be less than {HASH_KEYS}")


def _number(stream: Stream, shard: StoredShard, request: Request) -> int:
    digits = request.get("StartingSequenceNumber", "")
    try:
        sequence = Sequence.parse(digits)
    except ValueError as error:
        raise _invalid(f"StartingSequenceNumber {digits!r} is no sequence number") from error
    if (sequence.created, sequence.shard) != (shard.created, shard.number):
        raise _invalid(f"StartingSequenceNumber {digits} did not come from {shard.id} of stream {stream.name}")
    return sequence.number


def _iterator(stream: Stream, shard: StoredShard, number: int) -> str:
    return base64.b64encode(json.dumps([stream.name, stream.created, shard.id, number, time.time()]).encode()).decode()


def _at_most(size: int, records: list[StoredRecord]) -> list[StoredRecord]:
    """As many records as do not make more bytes than that, but at least one."""
    total = 0
    for place, record in enumerate(records):
        total += _size(record.data)
        if total > size and place:
            return records[:place]
    return records


def _size(data: str) -> int:
    """How many bytes base64 stands for."""
    return len(data) * 3 // 4 - data.endswith("=") - data.endswith("==")


def _after(shards: list[StoredShard], shard_id: str) -> list[StoredShard]:
    return [shard for shard in shards if shard.id > shard_id]


def _described(shard: StoredShard) -> Answer:
    numbers = {"StartingSequenceNumber": shard.sequence(shard.first_number)}
    if shard.last_number is not None:
        numbers["EndingSequenceNumber"] = shard.sequence(shard.last_number)
    answer: Answer = {"ShardId": shard.id, "HashKeyRange": _hash_keys(shard), "SequenceNumberRange": numbers}
    for name, parent in zip(("ParentShardId", "AdjacentParentShardId"), _parents(shard), strict=False):
        answer[name] = parent
    return answer


def _parents(shard: StoredShard) -> list[str]:
    return [SHARD_ID.format(number) for number in (shard.parent, shard.adjacent_parent) if number is not None]


def _hash_keys(shard: StoredShard) -> Answer:
    return {"StartingHashKey": str(shard.first_hash_key), "EndingHashKey": str(shard.last_hash_key)}
