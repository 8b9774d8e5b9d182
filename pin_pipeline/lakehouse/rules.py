"""The cleaning rules as Spark columns, made from the record definitions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce, singledispatch

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F  # noqa: N812 - the name every Spark programmer reads

from pin_pipeline.records import Column as PublishedColumn
from pin_pipeline.records import Combine, RecordKind
from pin_pipeline.records.fields import Field, Integer, Magnitude, Number, PrefixedPath, Text, Timestamp
from pin_pipeline.records.reasons import Reason

BLANK = r"^[\s\u00a0]*$"
# At most 18 digits and 9 decimals: decimal(27,9) holds them, and its product with 10**9 is exact in decimal(38,9).
MAGNITUDE = r"^(\d{1,18}(?:\.\d{1,9})?)([kKmMbB]?)$"
TIMESTAMP = r"^\d{4}-\d{2}-\d{2}[ T]\d{2}:\d{2}:\d{2}(\.\d{1,6})?(Z|[+-]\d{2}:\d{2})?$"
INTEGER_TYPE = r"^(BIGINT|DECIMAL\(\d+,0\))$"
NUMBER_TYPE = r"^(BIGINT|DOUBLE|DECIMAL.*)$"
NULL_TYPE = "VOID"
POSITION = ("topic", "partition", "offset")


@dataclass(frozen=True)
class Cleaned:
    """A field's rule as columns: whether type and value fit, and the clean value where they do."""

    fits_type: Column
    fits_value: Column
    value: Column


def classify(kind: RecordKind, lines: DataFrame) -> DataFrame:
    """Split landed lines into what is published and what is quarantined, row by row.

    Args:
        kind: what the lines should be.
        lines: topic, partition, offset, `line` text and its original `bytes`; `line` is null where it is no JSON line.

    Returns:
        The position, `bytes`, the kind's published columns, and `problem`: null, or why the record is quarantined as
        a struct of reason, field and value.
    """
    parsed = lines.withColumn("json", F.try_parse_json("line"))
    json = F.col("json")
    rules = [(field, _raw(json, field), _rule(field, _raw(json, field))) for field in kind.fields]
    clean = {field.name: rule.value for field, _, rule in rules}
    problem = F.coalesce(_record_problem(kind, json), *(_field_problem(field, raw, rule) for field, raw, rule in rules))
    checked = parsed.withColumn("problem", problem)
    fits = F.col("problem").isNull()
    published = [F.when(fits, _published(column, clean)).alias(column.name) for column in kind.columns]
    return checked.select(*POSITION, "bytes", "problem", *published)


def _raw(json: Column, field: Field) -> Column:
    """The field as it came: null where it is absent, a JSON null where it is null."""
    return F.try_variant_get(json, f"$.{field.name}", "variant")


def _type(raw: Column) -> Column:
    return F.schema_of_variant(raw)


def _record_problem(kind: RecordKind, json: Column) -> Column:
    key = _raw(json, kind.field(kind.key))
    others = [_raw(json, field) for field in kind.fields if field.required and field.name != kind.key]
    nothing_else = reduce(Column.__and__, (raw.isNull() for raw in others))
    return (
        F.when(json.isNull(), _problem(Reason.NOT_JSON))
        .when(~F.startswith(_type(json), F.lit("OBJECT")), _problem(Reason.NOT_AN_OBJECT))
        .when(key.isNull() | (_type(key) == NULL_TYPE), _problem(Reason.NO_KEY, kind.key))
        .when(nothing_else, _problem(Reason.ANOTHER_KIND))
    )


def _field_problem(field: Field, raw: Column, rule: Cleaned) -> Column:
    missing = F.lit(field.required) & raw.isNull()
    return (
        F.when(missing, _problem(Reason.MISSING_FIELD, field.name))
        .when(raw.isNotNull() & ~rule.fits_type, _problem(Reason.WRONG_TYPE, field.name, raw))
        .when(raw.isNotNull() & ~rule.fits_value, _problem(Reason.INVALID_VALUE, field.name, raw))
    )


def _problem(reason: Reason, field: str | None = None, raw: Column | None = None) -> Column:
    return F.struct(
        F.lit(reason.value).alias("reason"),
        F.lit(field).cast("string").alias("field"),
        (F.lit(None).cast("string") if raw is None else F.to_json(raw)).alias("value"),
    )


def _published(column: PublishedColumn, clean: dict[str, Column]) -> Column:
    values: Sequence[Column] = [clean[name] for name in column.fields]
    match column.combine:
        case None:
            value = values[0]
        case Combine.ARRAY:
            value = F.array(*values)
        case Combine.WORDS:
            value = F.nullif(F.concat_ws(" ", *values), F.lit(""))
    return value.cast(column.type)


@singledispatch
def _rule(field: Field, raw: Column) -> Cleaned:
    raise TypeError(f"no cleaning rule for fields of type {type(field).__name__}: {field.name}, {raw}")


@_rule.register
def _text(field: Text, raw: Column) -> Cleaned:
    text = F.try_variant_get(raw, "$", "string")
    nothing = text.isin(*field.sentinels) | text.rlike(BLANK) if field.sentinels else text.rlike(BLANK)
    return Cleaned(_type(raw).isin("STRING", NULL_TYPE), F.lit(True), F.when(~nothing, text))


@_rule.register
def _magnitude(field: Magnitude, raw: Column) -> Cleaned:
    text = _text(field, raw)
    number = F.regexp_extract(text.value, MAGNITUDE, 1).try_cast("decimal(27,9)")
    suffix = F.upper(F.regexp_extract(text.value, MAGNITUDE, 2))
    factor = F.when(suffix == "K", 10**3).when(suffix == "M", 10**6).when(suffix == "B", 10**9).otherwise(1)
    product = number * factor.cast("decimal(10,0)")
    whole = F.when(product == F.floor(product), product.try_cast("bigint"))
    return Cleaned(text.fits_type, text.value.isNull() | whole.isNotNull(), whole)


@_rule.register
def _prefixed_path(field: PrefixedPath, raw: Column) -> Cleaned:
    text = _text(field, raw)
    behind = F.substr(text.value, F.lit(len(field.prefix) + 1))
    path = F.when(F.startswith(text.value, F.lit(field.prefix)), behind).otherwise(text.value)
    return Cleaned(text.fits_type, text.value.isNull() | F.startswith(path, F.lit("/")), path)


@_rule.register
def _integer(field: Integer, raw: Column) -> Cleaned:
    value = F.try_variant_get(raw, "$", "bigint")
    fits = F.coalesce(value.between(field.minimum, field.maximum), F.lit(False))
    return Cleaned(_type(raw).rlike(INTEGER_TYPE), fits, value.try_cast("int"))


@_rule.register
def _number(field: Number, raw: Column) -> Cleaned:
    value = F.try_variant_get(raw, "$", "double")
    fits = F.coalesce(value.between(field.minimum, field.maximum), F.lit(False))
    return Cleaned(_type(raw).rlike(NUMBER_TYPE), fits, value)


@_rule.register
def _timestamp(field: Timestamp, raw: Column) -> Cleaned:  # noqa: ARG001 - every rule has the same arguments
    text = F.try_variant_get(raw, "$", "string")
    value = F.when(text.rlike(TIMESTAMP), text.try_cast("timestamp"))
    return Cleaned(_type(raw) == "STRING", value.isNotNull(), value)
