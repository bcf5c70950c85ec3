"""Files to raw rows, streamed: JSON Lines, one JSON array, CSV and TSV, Parquet. A broken row is passed on as such.

Rows travel in chunks, so that other processes can work on them. Of JSON Lines only the lines are split here: parsing
them is the workers' job.
"""

import codecs
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from common.errors import UserError
from converters.read.delimited import read_records

SUFFIXES = (".jsonl", ".json", ".csv", ".tsv", ".parquet")
CHUNK_BYTES = 1 << 20
CHUNK_ROWS = 2_000
ARRAY_BUFFER = 1 << 20
DELIMITERS = (b",", b";", b"\t")
"""What stands between the cells of a .csv: the one that its header has most of."""
TO_UTF8 = "write it anew as UTF-8, if it is GB18030 like this: iconv -f GB18030 -t UTF-8 FILE > NEW"
BOM = b"\xef\xbb\xbf"
LONGEST_ELEMENT = 64 << 20
"""An element of a JSON array that has not ended after so many characters is broken."""


@dataclass(frozen=True)
class Broken:
    """A piece of a file that is no row: what it was, and why it cannot be read."""

    raw: str
    reason: str


Raw = bytes | dict[str, Any] | Broken


@dataclass
class Chunk:
    """Consecutive rows of one file. `first` is the first one's number, from 1; `read` the bytes they took."""

    file: int
    first: int
    rows: list[Raw]
    read: int = 0


def read_chunks(path: Path, file: int = 0, limit: int | None = None) -> Iterator[Chunk]:
    """Yield the rows of a file in chunks, at most `limit` rows."""
    rows: list[Raw] = []
    first, size, read = 1, 0, 0
    for raw, weight in _rows(path):
        if limit is not None and first + len(rows) > limit:
            break
        rows.append(raw)
        size += weight
        read += weight
        if size >= CHUNK_BYTES or len(rows) >= CHUNK_ROWS:
            yield Chunk(file, first, rows, size)
            first, rows, size = first + len(rows), [], 0
    if rows:
        yield Chunk(file, first, rows, size)


def _rows(path: Path) -> Iterator[tuple[Raw, int]]:
    """Yield (raw row, bytes it took, roughly)."""
    kind = path.suffix.lower()
    with path.open("rb") as file:
        beginning = file.readline(4096)
    if not beginning:
        raise UserError(f"{path} is empty", "get the file again, or name another SOURCE")
    if beginning.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise UserError(f"{path} is UTF-16, not UTF-8", f"iconv -f UTF-16 -t UTF-8 {path} > new{kind}")
    if kind == ".json" and beginning.strip() == b"{":
        raise UserError(
            f"{path} holds one JSON object, not rows", "put the list of rows in it into a file of its own: [ ... ]"
        )
    if kind == ".jsonl" or (kind == ".json" and not _is_array(path)):
        return _lines(path)
    if kind == ".json":
        return _array(path)
    if kind in (".csv", ".tsv"):
        return _table(path, "\t" if kind == ".tsv" else max(DELIMITERS, key=beginning.count).decode())
    if kind == ".parquet":
        return _parquet(path)
    raise UserError(
        f"{path} is of a kind that cannot be read", f"unpack it, or convert it to one of {', '.join(SUFFIXES)}"
    )


def parse_line(line: bytes) -> dict[str, Any] | Broken:
    """Parse one line of JSON Lines."""
    import orjson

    try:
        row = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        try:
            decoded = line.decode()
        except UnicodeDecodeError as wrong:
            return Broken(line.decode(errors="backslashreplace"), f"not UTF-8: byte {wrong.start + 1} of the line")
        try:
            row = json.loads(decoded)  # takes what orjson refuses: NaN, lone surrogates, huge numbers
        except (ValueError, RecursionError):
            return Broken(decoded, f"broken JSON: {error}")
    return row if isinstance(row, dict) else Broken(line.decode(), f"not an object but {type(row).__name__}")


def _lines(path: Path) -> Iterator[tuple[Raw, int]]:
    with path.open("rb") as file:
        for number, line in enumerate(file):
            content = line.removeprefix(BOM) if number == 0 else line
            if content.strip():
                yield content, len(line)


def _is_array(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(4096).removeprefix(BOM).lstrip()[:1] == b"["


def _array(path: Path) -> Iterator[tuple[Raw, int]]:
    """Stream the elements of one JSON array; after a broken one go on at the next that can be read."""
    decoder = json.JSONDecoder()
    with path.open(encoding="utf-8-sig", errors="surrogateescape") as file:
        buffer, place, ended = "", 0, False
        while True:
            place = _skip(buffer, place)
            try:
                if place >= len(buffer) and not ended:
                    raise ValueError("more is needed")
                if place >= len(buffer):
                    return
                value, end = decoder.raw_decode(buffer, place)
                if end == len(buffer) and not ended:
                    raise ValueError("a number may go on")
            except (ValueError, RecursionError) as error:
                if not ended and (len(buffer) - place < ARRAY_BUFFER or not _next_element(buffer, place)):
                    more = file.read(ARRAY_BUFFER)
                    buffer, place, ended = buffer[place:] + more, 0, not more
                    if len(buffer) < LONGEST_ELEMENT:
                        continue
                end = _next_element(buffer, place) or len(buffer)
                yield Broken(_legible(buffer[place:end].rstrip(", \n\r\t]")), f"broken JSON: {error}"), end - place
                place = end
                continue
            yield _element(value, buffer[place:end]), end - place
            place = end
            if place > ARRAY_BUFFER:
                buffer, place = buffer[place:], 0


ELEMENT = re.compile(r"[}\]\"]?\s*,\s*(?=\{)")


def _skip(buffer: str, place: int) -> int:
    """Return where the next element begins. A bracket in the wrong place ends nothing: the file's end does."""
    while place < len(buffer) and buffer[place] in ", \n\r\t[]":
        place += 1
    return place


def _next_element(buffer: str, place: int) -> int:
    """Return where the next element seems to begin, 0 when none is in sight."""
    found = ELEMENT.search(buffer, place + 1)
    return found.end() if found else 0


def _element(value: Any, raw: str) -> Raw:
    if not isinstance(value, dict):
        return Broken(_legible(raw), f"not an object but {type(value).__name__}")
    return Broken(_legible(raw), "not UTF-8") if _undecoded(raw) else value


def _table(path: Path, delimiter: str) -> Iterator[tuple[Raw, int]]:
    with path.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
        records = read_records(file, delimiter)
        header, _, _ = next(records, ([], "", 0))
        if isinstance(header, str):
            raise UserError(f"the header of {path} cannot be read: {header}", "mend its first line")
        if any(map(_undecoded, header)):
            raise UserError(f"the header of {path} is not UTF-8", TO_UTF8)
        for cells, raw, line in records:
            if isinstance(cells, str):
                wrong = cells
            elif len(cells) != len(header):
                wrong = f"{len(cells)} cells where the header has {len(header)}"
            elif any(map(_undecoded, cells)):
                wrong = "not UTF-8"
            else:
                yield dict(zip(header, cells, strict=True)), len(raw)
                continue
            yield Broken(_legible(raw.rstrip("\r\n")), f"{wrong}, line {line}"), len(raw)


def _parquet(path: Path) -> Iterator[tuple[Raw, int]]:
    import pyarrow
    from pyarrow import parquet

    try:
        with parquet.ParquetFile(path) as file:
            for batch in file.iter_batches(batch_size=CHUNK_ROWS):
                weight = max(1, batch.nbytes // max(1, batch.num_rows))
                for row in _batch_rows(batch):
                    yield row, weight
    except (pyarrow.ArrowInvalid, OSError) as error:
        raise UserError(f"{path} is not a readable Parquet file: {error}", "get the file again") from None


def _batch_rows(batch: Any) -> list[Raw]:
    """Return the rows of a Parquet batch; one whose text is no UTF-8 does not take the others with it."""
    try:
        return list(batch.to_pylist())
    except UnicodeDecodeError:
        if batch.num_rows > 1:
            return [row for number in range(batch.num_rows) for row in _batch_rows(batch.slice(number, 1))]
    cells = (column.cast("binary").to_pylist()[0] for column in batch.columns if str(column.type).endswith("string"))
    return [Broken("\n".join((cell or b"").decode(errors="backslashreplace") for cell in cells), "not UTF-8")]


UNDECODED = re.compile("[\udc80-\udcff]")


def _undecoded(text: str) -> bool:
    return not text.isascii() and UNDECODED.search(text) is not None


def _legible(text: str) -> str:
    """Return text with undecodable bytes written as escapes, fit for JSON."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
