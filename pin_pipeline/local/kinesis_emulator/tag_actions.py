"""Actions on the tags of a stream."""

from __future__ import annotations

from pin_pipeline.local.kinesis_emulator.errors import KinesisRequestError, validation_error
from pin_pipeline.local.kinesis_emulator.payloads import RequestBody, ResponseBody
from pin_pipeline.local.kinesis_emulator.quotas import MAX_TAGS
from pin_pipeline.local.kinesis_emulator.stream_lookup import StreamLookup

MAX_KEY, MAX_VALUE = 128, 256
"""Characters of a key and of a value."""


class TagActions:
    """Actions on the tags of a stream."""

    def __init__(self, lookup: StreamLookup) -> None:
        self._lookup, self._store = lookup, lookup.store

    def add_tags(self, request: RequestBody) -> ResponseBody:
        """Handle AddTagsToStream."""
        stream, added = self._lookup.stream(request), request.get("Tags", {})
        for key, value in added.items():
            if not 1 <= len(key) <= MAX_KEY or len(value) > MAX_VALUE:
                raise validation_error(
                    f"invalid tag {key!r}: expected a key of 1 to {MAX_KEY} characters and a value of up to {MAX_VALUE}"
                )
        tags = self._store.tags(stream) | added
        if len(tags) > MAX_TAGS:
            raise KinesisRequestError("LimitExceededException", f"stream {stream.name} may have {MAX_TAGS} tags")
        self._store.set_tags(stream, tags)
        return {}

    def list_tags(self, request: RequestBody) -> ResponseBody:
        """Handle ListTagsForStream."""
        after, limit = request.get("ExclusiveStartTagKey", ""), request.get("Limit", MAX_TAGS)
        tags = [(key, value) for key, value in self._store.tags(self._lookup.stream(request)).items() if key > after]
        page = [{"Key": key, "Value": value} for key, value in tags[:limit]]
        return {"Tags": page, "HasMoreTags": len(tags) > limit}

    def remove_tags(self, request: RequestBody) -> ResponseBody:
        """Handle RemoveTagsFromStream."""
        stream, removed = self._lookup.stream(request), request.get("TagKeys", ())
        kept = {key: value for key, value in self._store.tags(stream).items() if key not in removed}
        self._store.set_tags(stream, kept)
        return {}
