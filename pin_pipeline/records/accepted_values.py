"""Descriptions of the values that a field may have, for the generated docs and for error messages."""

from __future__ import annotations

from functools import singledispatch

from pin_pipeline.records.fields import Field, Integer, Magnitude, Number, PrefixedPath, Text, Timestamp


@singledispatch
def accepted_values(field: Field) -> str:
    """Return the values that a field may have, in Markdown."""
    raise NotImplementedError(type(field))


@accepted_values.register
def _(field: Text) -> str:
    return f"text; {_null_values(field)}"


@accepted_values.register
def _(field: Magnitude) -> str:
    return f"text such as `997`, `1.2k`, `3M` or `1b`, published as a whole number; {_null_values(field)}"


@accepted_values.register
def _(field: PrefixedPath) -> str:
    return f"path that starts with `/`, after an optional prefix `{field.prefix}`; {_null_values(field)}"


@accepted_values.register
def _(field: Integer) -> str:
    return f"whole number from {field.minimum} to {field.maximum}"


@accepted_values.register
def _(field: Number) -> str:
    return f"number from {field.minimum:g} to {field.maximum:g}"


@accepted_values.register
def _(_field: Timestamp) -> str:
    return "`YYYY-MM-DD HH:MM:SS`, or ISO 8601 with `T`; fraction and offset optional, UTC by default"


def _null_values(field: Text) -> str:
    *others, last = ("null", "blank", *(f"`{sentinel}`" for sentinel in field.sentinels))
    return f"{', '.join(others)} and {last} are published as null"
