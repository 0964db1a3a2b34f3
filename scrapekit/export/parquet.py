"""Parquet: columns with types, inferred from all items in a first pass; the second pass writes them.

It needs pyarrow, so only those who write Parquet load it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, BinaryIO

import msgspec
import pyarrow as pa
from pyarrow import parquet

from scrapekit.errors import ExportError
from scrapekit.export.shapes import ListOf, Shape, row, widened

_ROWS, _CELLS = 1000, 1_000_000  # that are Python objects at a time: pages may have data for names of fields
_GROUP_ROWS = 100_000
_GROUP_BYTES = 16 << 20  # of a row group in memory, before compression

_decode = msgspec.json.Decoder(dict[str, Any]).decode


def write_parquet(
    lines: Callable[[], Iterable[bytes]], file: BinaryIO, fields: Sequence[str] | None, compression: str
) -> None:
    """Write items to a Parquet file, in row groups, so that memory stays flat.

    Args:
        lines: Gives the items from the first one on, each time it is called.
        file: Where to.
        fields: The columns; None: all that any item has, in the order in which they first came.
        compression: ``zstd``, ``snappy``, ``gzip`` or ``none``.

    Raises:
        ExportError: Arrow can't write these items.
        OSError: The file can't be written.
    """
    shapes: dict[str, Shape] = {}
    for line in lines():
        widened(shapes, _decode(line))
    columns = list(shapes) if fields is None else list(dict.fromkeys(fields))
    schema = pa.schema([(name, _arrow(shapes.get(name))) for name in columns])
    try:
        with parquet.ParquetWriter(file, schema, compression=compression) as writer:
            for table in _tables(lines(), shapes, schema):
                writer.write_table(table)
    except pa.ArrowException as error:
        raise ExportError(f"the items can't be written as Parquet: {error}") from error


def _tables(lines: Iterable[bytes], shapes: Mapping[str, Shape], schema: pa.Schema) -> Iterator[pa.Table]:
    """The items, a row group at a time."""
    batches: list[pa.RecordBatch] = []
    rows = size = 0
    left = iter(lines)
    count = max(1, min(_ROWS, _CELLS // (len(schema) or 1)))
    while some := list(islice(left, count)):
        batch = pa.RecordBatch.from_pylist([row(shapes, _decode(line), schema.names) for line in some], schema)
        batches.append(batch)
        rows += batch.num_rows
        size += batch.nbytes
        if rows >= _GROUP_ROWS or size >= _GROUP_BYTES:
            yield pa.Table.from_batches(batches)
            batches, rows, size = [], 0, 0
    if batches:
        yield pa.Table.from_batches(batches)


def _arrow(shape: Shape) -> pa.DataType:
    """The type of a column. What was never seen, or is JSON, is text; all may be null."""
    if isinstance(shape, ListOf):
        return pa.list_(_arrow(shape.inner))
    if shape and isinstance(shape, dict):
        return pa.struct([(name, _arrow(inner)) for name, inner in shape.items()])
    kinds = {"bool": pa.bool_, "int": pa.int64, "long": pa.int64, "float": pa.float64}
    return kinds.get(shape if isinstance(shape, str) else "", pa.string)()
