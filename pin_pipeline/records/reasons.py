"""Rejection reasons: a closed list; the first one that applies is recorded."""

from enum import StrEnum


class Reason(StrEnum):
    """Reason for which a record is rejected; the values are stored in the quarantine."""

    NOT_JSON = "not_json"
    NOT_AN_OBJECT = "not_an_object"
    NO_KEY = "no_key"
    OTHER_RECORD_TYPE = "another_kind"
    MISSING_FIELD = "missing_field"
    WRONG_TYPE = "wrong_type"
    INVALID_VALUE = "invalid_value"


DESCRIPTIONS: dict[Reason, str] = {
    Reason.NOT_JSON: (
        "The bytes are not JSON in UTF-8, are nested deeper than 1,024 levels, or contain a number out of the range of"
        " a double."
    ),
    Reason.NOT_AN_OBJECT: "The JSON value is not an object: null, a number, a list, or a string that holds JSON.",
    Reason.NO_KEY: "The key of the post is missing or null.",
    Reason.OTHER_RECORD_TYPE: (
        "The record has none of the required fields of its type except the key: it belongs to another record type."
    ),
    Reason.MISSING_FIELD: "A required field is missing.",
    Reason.WRONG_TYPE: "A field has the wrong JSON type (object, list, string, number, boolean or null).",
    Reason.INVALID_VALUE: "A field has the right JSON type, but a value that no cleaning rule accepts.",
}
