"""Files to raw rows, streamed: JSON in its usual shapes, CSV and TSV, Excel, Parquet and Arrow, packed or not.

Rows travel in chunks, so that other processes can work on them. Of JSON Lines only the lines are split here: parsing
them is the workers' job. What is no row is passed on as Broken, with its reason; UserError is for a file as a whole.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from common.errors import UserError
from converters.read.json_rows import json_rows
from converters.read.tables import delimited_rows, workbook_rows
from converters.read.text import Broken, Raw, open_unpacked, unpacking

JSON = (".jsonl", ".json", ".ndjson")
TABLES = (".csv", ".tsv")
WORKBOOKS = (".xlsx", ".xlsm", ".xlsb", ".xls", ".ods")
COLUMNAR = (".parquet", ".arrow")
SUFFIXES = (*JSON, *TABLES, *WORKBOOKS, *COLUMNAR)
PACKED = (".gz", ".bz2", ".xz")
CHUNK_BYTES = 1 << 20
CHUNK_ROWS = 2_000
FOREIGN = (
    (rb"version https://git-lfs", "is a Git LFS pointer: the rows themselves were not downloaded", "git lfs pull"),
    (rb"\s*<(?:!doctype|html)\b", "is a web page, not rows", "download the file itself: on the hub, the address with "
     "/resolve/ in place of /blob/"),
)  # fmt: skip
"""What stands in a file's place when its download went wrong: how it begins, what it is, the way out."""


@dataclass
class Chunk:
    """Consecutive rows of one file. `first` is the first one's number, from 1; `read` the bytes they took."""

    file: int
    first: int
    rows: list[Raw]
    read: int = 0


def kind_of(path: Path) -> str:
    """Return a file's type, in small letters and whatever it is packed in: .csv for rows.CSV.gz."""
    return (path.with_suffix("") if path.suffix.lower() in PACKED else path).suffix.lower()


def read_chunks(path: Path, file: int = 0, limit: int | None = None) -> Iterator[Chunk]:
    """Yield the rows of a file in chunks, at most `limit` rows."""
    rows: list[Raw] = []
    first, size = 1, 0
    with unpacking(path):
        for raw, weight in _rows(path):
            if limit is not None and first + len(rows) > limit:
                break
            rows.append(raw)
            size += weight
            if size >= CHUNK_BYTES or len(rows) >= CHUNK_ROWS:
                yield Chunk(file, first, rows, size)
                first, rows, size = first + len(rows), [], 0
    if rows:
        yield Chunk(file, first, rows, size)


def _rows(path: Path) -> Iterator[tuple[Raw, int]]:
    """Yield (raw row, bytes it took, roughly)."""
    with open_unpacked(path) as file:
        head = file.read(4096)
    if not head:
        raise UserError(f"{path} is empty", "get the file again, or name another SOURCE")
    for begins, what, way_out in FOREIGN:
        if re.match(begins, head, re.IGNORECASE):
            raise UserError(f"{path} {what}", way_out)
    kind = kind_of(path)
    if kind in JSON:
        return json_rows(path)
    if kind in TABLES:
        return delimited_rows(path, "\t" if kind == ".tsv" else "")
    if kind in WORKBOOKS:
        return workbook_rows(path)
    if kind in COLUMNAR:
        return _columnar(path, kind)
    raise UserError(f"{path}: unsupported file type", f"convert it to one of {', '.join(SUFFIXES)}")


def _columnar(path: Path, kind: str) -> Iterator[tuple[Raw, int]]:
    """Yield the rows of a Parquet file, or of an Arrow file as `datasets` saves them, a batch at a time."""
    import pyarrow

    try:
        for batch in _batches(path, kind):
            weight = max(1, batch.nbytes // max(1, batch.num_rows))
            for row in _batch_rows(batch):
                yield row, weight
    except (pyarrow.ArrowInvalid, OSError) as error:
        raise UserError(
            f"{path} is not a readable {'Parquet' if kind == '.parquet' else 'Arrow'} file: {error}", "get it again"
        ) from None


def _batches(path: Path, kind: str) -> Iterator[Any]:
    if kind == ".parquet":
        from pyarrow import parquet

        return parquet.ParquetFile(path).iter_batches(CHUNK_ROWS)
    from datasets import Dataset  # a second or two: only who has such a file pays for it

    return Dataset.from_file(str(path)).with_format("arrow").iter(CHUNK_ROWS)


def _batch_rows(batch: Any) -> list[Raw]:
    """Return the rows of a batch; one whose text is no UTF-8 does not take the others with it."""
    try:
        return list(batch.to_pylist())
    except UnicodeDecodeError:
        if batch.num_rows > 1:
            return [row for number in range(batch.num_rows) for row in _batch_rows(batch.slice(number, 1))]
    cells = (column.cast("binary").to_pylist()[0] for column in batch.columns if str(column.type).endswith("string"))
    return [Broken("\n".join((cell or b"").decode(errors="backslashreplace") for cell in cells), "not UTF-8")]
