"""Judge landed records by the rules of their kind, on Spark.

The rules run in Python, over Arrow batches. They parse a record once, while Spark's own expressions look into its JSON
for every field anew: the same rules as Spark columns took five times as long.
"""

from __future__ import annotations

import gc
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import accumulate, chain

import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F  # noqa: N812 - the name every Spark programmer reads
from pyspark.sql.pandas.functions import ArrowUDFType, arrow_udf
from pyspark.sql.pandas.types import to_arrow_type
from pyspark.sql.types import DataType

from pin_pipeline.landing.chunks import values_in
from pin_pipeline.records import RecordKind
from pin_pipeline.records.rules import Fit, Problem, Rules

POSITION = ("topic", "partition", "offset")
MISFIT = ("bytes: binary", "problem: struct<reason: string, field: string, value: string>")
OBSERVED = ("apart: array<string>", "unknown: array<string>")


def classify_objects(kind: RecordKind, objects: DataFrame) -> DataFrame:
    """Split the records of landed objects into what is published and what is quarantined, a row a record.

    Args:
        kind: what the records should be.
        objects: area, topic, partition, first_offset and `content`.

    Returns:
        Topic, partition, offset; of a misfit its `bytes`, and its `problem` as a struct of reason, field and value; of
        a record that fits the kind's published columns, `apart`, the names of what does not go together in it, and
        `unknown`, the names of its fields that the kind does not have. The others of these columns are null.
    """
    outcome = _outcome(kind)
    type_ = _arrow(outcome)

    def judge(areas: pa.Array, contents: pa.Array) -> pa.Array:
        objects = zip(areas.to_pylist(), contents.to_pylist(), strict=True)
        values = [values_in(area, content) for area, content in objects]
        ends = pa.array(accumulate(map(len, values), initial=0), pa.int32())
        return pa.ListArray.from_arrays(ends, _judged(kind, chain.from_iterable(values), type_))

    judged = objects.withColumn(
        "outcomes", arrow_udf(judge, f"array<{outcome}>", ArrowUDFType.SCALAR)("area", "content")
    )
    # The outer one: below the other, Spark would add a filter that judges everything once more.
    records = judged.select("*", F.posexplode_outer("outcomes").alias("number", "outcome"))
    return records.withColumn("offset", F.col("first_offset") + F.col("number")).select(*POSITION, "outcome.*")


def classify(kind: RecordKind, records: DataFrame, position: Sequence[str] = POSITION) -> DataFrame:
    """Split records, given by the columns of their position and `bytes`, as `classify_objects` does."""
    outcome = _outcome(kind)
    type_ = _arrow(outcome)

    def judge(values: pa.Array) -> pa.Array:
        return _judged(kind, values.to_pylist(), type_)

    judged = records.select(*position, arrow_udf(judge, outcome, ArrowUDFType.SCALAR)("bytes").alias("outcome"))
    return judged.select(*position, "outcome.*")


def warm_up(kind: RecordKind, spark: SparkSession) -> None:
    """Judge nothing worth it, so that Spark has a Python worker that can: its start takes a second or two."""
    classify(kind, spark.range(1).selectExpr("binary('') as bytes"), ()).collect()


def _outcome(kind: RecordKind) -> str:
    """The type of what is said of a record."""
    columns = (f"{column.name}: {column.type}" for column in kind.columns)
    return f"struct<{', '.join((*MISFIT, *columns, *OBSERVED))}>"


def _arrow(type_: str) -> pa.StructType:
    return to_arrow_type(DataType.fromDDL(type_), timezone="UTC")


def _judged(kind: RecordKind, values: Iterable[bytes | None], type_: pa.StructType) -> pa.StructArray:
    rules = Rules(kind)
    nothing = (None,) * (len(kind.columns) + len(OBSERVED))

    def cells(value: bytes | None, outcome: Fit | Problem) -> Sequence[object]:
        if isinstance(outcome, Problem):
            return value, outcome._asdict(), *nothing
        return None, None, *outcome.row, outcome.apart, outcome.unknown

    with _no_search_for_cycles():
        columns = zip(*[cells(value, rules.judge(value)) for value in values], strict=True)
        arrays = [pa.array(column, field.type) for column, field in zip(columns, type_, strict=True)]
    return pa.StructArray.from_arrays(arrays, fields=list(type_))


@contextmanager
def _no_search_for_cycles() -> Iterator[None]:
    """Millions of tuples without a cycle among them are searched for cycles for a third of the time."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
