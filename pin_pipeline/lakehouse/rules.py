"""The cleaning rules as Spark columns, made from the record definitions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import reduce, singledispatch

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F  # noqa: N812 - the name every Spark programmer reads

from pin_pipeline.records import Column as PublishedColumn
from pin_pipeline.records import Combine, RecordKind
from pin_pipeline.records.fields import Field, Integer, Magnitude, Number, PrefixedPath, Text, Timestamp
from pin_pipeline.records.reasons import Reason

# Java's `$` also matches before a last line break, `\z` does not.
BLANK = r"\A[\s\u00a0]*\z"
# At most 18 digits and 9 decimals: decimal(27,9) holds them, and its product with 10**9 is exact in decimal(38,9).
MAGNITUDE = r"\A(\d{1,18}(?:\.\d{1,9})?)([kKmMbB]?)\z"
# Offsets from UTC end at 14 hours on Earth, and at 18 in Java.
TIMESTAMP = r"\A\d{4}-\d{2}-\d{2}[ T]\d{2}:\d{2}:\d{2}(\.\d{1,6})?(Z|[+-](0\d|1[0-4]):[0-5]\d)?\z"
OBJECT = r"\A[ \t\r\n]*\{"
INTEGER_TYPE = "BIGINT"
NUMBER_TYPE = r"\A(BIGINT|DOUBLE|DECIMAL.*)\z"
NULL_TYPE = "VOID"
# The years that every reader of the tables can tell.
CENTURIES = ("0001-01-01 00:00:00", "9999-12-31 23:59:59.999999")
POSITION = ("topic", "partition", "offset")


@dataclass(frozen=True)
class Rule:
    """What a field's values must be, as columns: the types that fit, and the clean value, null where none fits.

    Attributes:
        nothing: whether the value says that there is none, which fits without a clean value.
    """

    fits_type: Column
    value: Column
    nothing: Column


def classify(kind: RecordKind, lines: DataFrame) -> DataFrame:
    """Split landed lines into what is published and what is quarantined, row by row.

    Args:
        kind: what the lines should be.
        lines: topic, partition, offset, `line` text and its original `bytes`; `line` is null where it is no JSON line.

    Returns:
        The position, `bytes`, the kind's published columns, and `problem`: null, or why the record is quarantined as
        a struct of reason, field and value; of records that fit also `apart`, the names of what does not go together
        in them, and `unknown`, the names of their fields that the kind does not have.
    """
    rules = {field: _rule(field) for field in kind.fields}
    # Each step is a projection of its own: in one, Spark works a value out again wherever it is used.
    records = lines.withColumn("json", F.try_parse_json("line"))
    records = _with(records, _Step.RAW, {f: F.try_variant_get("json", f"$.{f.name}", "variant") for f in kind.fields})
    records = _with(records, _Step.TYPE, {field: F.schema_of_variant(_Step.RAW.of(field)) for field in kind.fields})
    records = _with(records, _Step.TEXT, {field: _said(field) for field in kind.fields if isinstance(field, Text)})
    records = _with(records, _Step.CLEAN, {field: rule.value for field, rule in rules.items()})
    problem = F.coalesce(_record_problem(kind), *(_field_problem(field, rule) for field, rule in rules.items()))
    records = records.withColumn("problem", problem)
    fits = F.col("problem").isNull()
    published = [F.when(fits, _published(kind, column)).alias(column.name) for column in kind.columns]
    observed = {"apart": _apart(kind), "unknown": _unknown(kind)}
    return records.select(
        *POSITION,
        "bytes",
        "problem",
        *published,
        *(F.when(fits, column).alias(name) for name, column in observed.items()),
    )


class _Step(StrEnum):
    """What is worked out for each field: its column's name is the step's and the field's."""

    RAW = "raw"
    TYPE = "type"
    TEXT = "text"
    CLEAN = "clean"

    def of(self, field: Field) -> Column:
        """The column of a field."""
        return F.col(self.name_of(field))

    def name_of(self, field: Field) -> str:
        """The name of that column."""
        return f"{self}_of_{field.name}"


def _with(records: DataFrame, step: _Step, columns: Mapping[Field, Column]) -> DataFrame:
    return records.withColumns({step.name_of(field): column for field, column in columns.items()})


def _record_problem(kind: RecordKind) -> Column:
    """What is wrong with the record as a whole; absent fields are null, a JSON null is a value of its own type."""
    key = kind.field(kind.key)
    others = [_Step.RAW.of(field) for field in kind.fields if field.required and field is not key]
    nothing_else = reduce(Column.__and__, (raw.isNull() for raw in others))
    return (
        F.when(F.col("line").isNull(), _problem(Reason.NOT_JSON))
        .when(~F.rlike("line", F.lit(OBJECT)), _problem(Reason.NOT_AN_OBJECT))
        .when(F.col("json").isNull(), _problem(Reason.BEYOND_LIMITS))
        .when(_Step.RAW.of(key).isNull() | (_Step.TYPE.of(key) == NULL_TYPE), _problem(Reason.NO_KEY, kind.key))
        .when(nothing_else, _problem(Reason.ANOTHER_KIND))
    )


def _field_problem(field: Field, rule: Rule) -> Column:
    raw = _Step.RAW.of(field)
    fits_value = rule.nothing | _Step.CLEAN.of(field).isNotNull()
    return (
        F.when(F.lit(field.required) & raw.isNull(), _problem(Reason.MISSING_FIELD, field.name))
        .when(raw.isNotNull() & ~rule.fits_type, _problem(Reason.WRONG_TYPE, field.name, raw))
        .when(raw.isNotNull() & ~fits_value, _problem(Reason.INVALID_VALUE, field.name, raw))
    )


def _problem(reason: Reason, field: str | None = None, raw: Column | None = None) -> Column:
    return F.struct(
        F.lit(reason.value).alias("reason"),
        F.lit(field).cast("string").alias("field"),
        (F.lit(None).cast("string") if raw is None else F.to_json(raw)).alias("value"),
    )


def _published(kind: RecordKind, column: PublishedColumn) -> Column:
    values = [_Step.CLEAN.of(kind.field(name)) for name in column.fields]
    match column.combine:
        case None:
            value = values[0]
        case Combine.ARRAY:
            value = F.array(*values)
        case Combine.WORDS:
            value = F.nullif(F.concat_ws(" ", *values), F.lit(""))
    return value.cast(column.type)


def _apart(kind: RecordKind) -> Column:
    names = []
    for pair in kind.together:
        one, other = (_is(kind, name, value) for name, value in zip(pair.fields, pair.values, strict=True))
        names.append(F.when(one != other, F.lit(pair.name)))
    return F.array_compact(F.array(*names)).cast("array<string>")


def _is(kind: RecordKind, name: str, value: str | int) -> Column:
    """Whether a raw field has this value."""
    type_ = "bigint" if isinstance(value, int) else "string"
    return F.try_variant_get(_Step.RAW.of(kind.field(name)), "$", type_).eqNullSafe(value)


def _unknown(kind: RecordKind) -> Column:
    known = F.array(*(F.lit(field.name) for field in kind.fields))
    return F.array_except(F.json_object_keys("line"), known)


def _said(field: Text) -> Column:
    """The text, null where it says nothing."""
    text = F.try_variant_get(_Step.RAW.of(field), "$", "string")
    nothing = text.isin(*field.sentinels) | text.rlike(BLANK) if field.sentinels else text.rlike(BLANK)
    return F.when(~nothing, text)


@singledispatch
def _rule(field: Field) -> Rule:
    raise TypeError(f"no cleaning rule for fields of type {type(field).__name__}: {field.name}")


@_rule.register
def _text(field: Text) -> Rule:
    text = _Step.TEXT.of(field)
    return Rule(_Step.TYPE.of(field).isin("STRING", NULL_TYPE), text, text.isNull())


@_rule.register
def _magnitude(field: Magnitude) -> Rule:
    text = _text(field)
    number = F.regexp_extract(text.value, MAGNITUDE, 1).try_cast("decimal(27,9)")
    suffix = F.upper(F.regexp_extract(text.value, MAGNITUDE, 2))
    factor = F.when(suffix == "K", 10**3).when(suffix == "M", 10**6).when(suffix == "B", 10**9).otherwise(1)
    product = number * factor.cast("decimal(10,0)")
    whole = F.when(product == F.floor(product), product.try_cast("bigint"))
    return replace(text, value=whole)


@_rule.register
def _prefixed_path(field: PrefixedPath) -> Rule:
    text = _text(field)
    behind = F.substr(text.value, F.lit(len(field.prefix) + 1))
    path = F.when(F.startswith(text.value, F.lit(field.prefix)), behind).otherwise(text.value)
    return replace(text, value=F.when(F.startswith(path, F.lit("/")), path))


@_rule.register
def _integer(field: Integer) -> Rule:
    value = F.try_variant_get(_Step.RAW.of(field), "$", "bigint")
    whole = (_Step.TYPE.of(field) == INTEGER_TYPE) & value.between(field.minimum, field.maximum)
    return Rule(_Step.TYPE.of(field).rlike(NUMBER_TYPE), F.when(whole, value.try_cast("int")), F.lit(False))


@_rule.register
def _number(field: Number) -> Rule:
    value = F.try_variant_get(_Step.RAW.of(field), "$", "double")
    fitting = F.when(value.between(field.minimum, field.maximum), value)
    return Rule(_Step.TYPE.of(field).rlike(NUMBER_TYPE), fitting, F.lit(False))


@_rule.register
def _timestamp(field: Timestamp) -> Rule:
    text = F.try_variant_get(_Step.RAW.of(field), "$", "string")
    value = F.when(text.rlike(TIMESTAMP), text.try_cast("timestamp"))
    return Rule(_Step.TYPE.of(field) == "STRING", F.when(value.between(*CENTURIES), value), F.lit(False))
