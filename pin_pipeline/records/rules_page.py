"""The page of rules in the docs: `python -m pin_pipeline.records.rules_page > docs/records.md`, or `make docs`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import singledispatch

from pin_pipeline.records import RECORD_TYPES, Column, Combine, RecordType
from pin_pipeline.records.fields import Field, Integer, Magnitude, Number, PrefixedPath, Text, Timestamp
from pin_pipeline.records.reasons import DESCRIPTIONS

INTRODUCTION = """\
# Records and their rules

Made by `make docs` from `pin_pipeline/records`; change it there. From the same definitions come the source tables, the
gateway's validation, the cleaning in batch, the auditor's expectations, the quality checks and the columns in the UI.

A record that does not fit is quarantined under the first reason that applies, from the top of this list down; within a
record its fields are judged in the order of their table."""


def render_rules_page(record_types: Iterable[RecordType] = RECORD_TYPES.values()) -> str:
    """The whole page as Markdown."""
    sections = [
        INTRODUCTION,
        _table(("reason", "meaning"), [(_code(name), text) for name, text in DESCRIPTIONS.items()]),
    ]
    return (
        "\n\n".join([*sections, *(part for record_type in record_types for part in _record_type(record_type))]) + "\n"
    )


def _record_type(record_type: RecordType) -> Iterator[str]:
    yield f"## {record_type.name}\n\n{record_type.description} Key `{record_type.key}`, source table `{record_type.source_table}`."
    fields = [(_code(field.name), _required(field), _rule(field), field.description) for field in record_type.fields]
    yield _table(("raw field", "", "value", "meaning"), fields)
    columns = [
        (_code(column.name), column.type, _origin(column), f"{column.filled:.0%}") for column in record_type.columns
    ]
    yield _table(("published column", "type", "from", "filled at least"), columns)
    looks = [(_code(pair.name), pair.description) for pair in record_type.consistency_rules]
    looks += [(_code(expectation.name), expectation.description) for expectation in record_type.expectations]
    yield _table(("checked, and published all the same", "what is expected"), looks)


def _required(field: Field) -> str:
    return "" if field.required else "may be absent"


def _origin(column: Column) -> str:
    fields = [_code(field) for field in column.fields]
    match column.combine:
        case None:
            return fields[0]
        case Combine.ARRAY:
            return f"array of {', '.join(fields)}"
        case Combine.WORDS:
            return f"{', space, '.join(fields)}"


@singledispatch
def _rule(field: Field) -> str:
    raise NotImplementedError(type(field))


@_rule.register
def _(field: Text) -> str:
    return f"text; {_nothing(field)}"


@_rule.register
def _(field: Magnitude) -> str:
    return f"text such as `997`, `1.2k`, `3M`, `1b`, to a whole number; {_nothing(field)}"


@_rule.register
def _(field: PrefixedPath) -> str:
    return f"text, a path that begins with `/`, possibly behind {_code(field.prefix)}; {_nothing(field)}"


@_rule.register
def _(field: Integer) -> str:
    return f"number without fraction from {field.minimum} to {field.maximum}"


@_rule.register
def _(field: Number) -> str:
    return f"number from {field.minimum:g} to {field.maximum:g}"


@_rule.register
def _(_field: Timestamp) -> str:
    return "text, `YYYY-MM-DD HH:MM:SS` or ISO 8601 with `T`, fraction and offset; UTC where none is given"


def _nothing(field: Text) -> str:
    *others, last = ("null", "blank", *map(_code, field.sentinels))
    return f"null where it is {', '.join(others)} or {last}"


def _code(text: str) -> str:
    return f"`{text}`"


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


if __name__ == "__main__":
    print(render_rules_page(), end="")
