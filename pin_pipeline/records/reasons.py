"""Why a record is quarantined: a closed list, the first one that applies is the one that is kept."""

from enum import StrEnum


class Reason(StrEnum):
    """What keeps a record from being published."""

    NOT_JSON = "not_json"
    NOT_AN_OBJECT = "not_an_object"
    NO_KEY = "no_key"
    OTHER_RECORD_TYPE = "another_kind"
    MISSING_FIELD = "missing_field"
    WRONG_TYPE = "wrong_type"
    INVALID_VALUE = "invalid_value"


DESCRIPTIONS: dict[Reason, str] = {
    Reason.NOT_JSON: (
        "The bytes are not JSON in UTF-8, or they are nested deeper than 1,024 levels or have a number beyond a double."
    ),
    Reason.NOT_AN_OBJECT: "The JSON is not an object: a string that holds JSON, a list, a number, null.",
    Reason.NO_KEY: "The field that identifies the post is absent or null.",
    Reason.OTHER_RECORD_TYPE: "Of the fields this kind requires, none but the key is there: a row of another kind.",
    Reason.MISSING_FIELD: "A field that this kind requires is absent.",
    Reason.WRONG_TYPE: "A field has another JSON type (object, list, string, number, boolean, null) than it should.",
    Reason.INVALID_VALUE: "A field has the right type, but a value that no cleaning rule covers.",
}
