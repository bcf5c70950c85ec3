"""Tables to raw rows: CSV and TSV, where a broken record costs one line and not what follows it, and Excel."""

import csv
import sys
from collections import deque
from collections.abc import Iterable, Iterator
from itertools import chain, islice
from pathlib import Path
from typing import Any

from common.errors import UserError
from converters.read.text import BOM, Broken, Raw, legible, open_text, undecoded
from converters.task import read_literal

LONGEST_RECORD = 1 << 20
"""A record that has not ended after so many characters has a quote that is never closed."""
DELIMITERS = ",;\t|"
"""What may stand between the cells of a .csv."""
SENTENCE_ENDS, LONGEST_NAME = ".?!。？！", 8
"""A first line of sentences is a row, and names no columns."""
LOOKED_AT = 200
"""Rows by which it is told whether a column's cells are lists written as text."""


def delimited_rows(path: Path, delimiter: str = "") -> Iterator[tuple[Raw, int]]:
    """Yield (row, the bytes it took) of a CSV or TSV file."""
    with open_text(path, newline="") as file:
        first = file.readline()
        if first.lower().startswith("sep=") and len(first.strip()) == 5:  # Excel's own way to name the delimiter
            delimiter, first = first.strip()[4], file.readline()
        second = file.readline()
        records = read_records(chain([first, second], file), delimiter or _delimiter(first, second))
        header, _, _ = next(records, ([], "", 0))
        if isinstance(header, str):
            raise UserError(f"the header of {path} cannot be read: {header}", "fix its first line")
        if any(map(undecoded, header)):
            raise UserError(f"the header of {path} is in an unknown encoding", "save the file as UTF-8")
        _check_header(header, path)
        yield from _lists_read(_checked(records, header))


def _delimiter(header: str, record: str) -> str:
    """Return what stands between the cells: what makes as many of the header as of the first record, if anything."""
    cells = {sign: [_parsed(line, sign) for line in (header, record)] for sign in DELIMITERS if sign in header}
    fits = [sign for sign, (one, other) in cells.items() if one and other and len(one) == len(other) > 1]
    return max(fits or DELIMITERS, key=header.count)


def workbook_rows(path: Path) -> Iterator[tuple[Raw, int]]:
    """Yield the rows of the first sheet of an Excel or OpenDocument workbook that has any."""
    from python_calamine import CalamineError, CalamineWorkbook

    try:
        book = CalamineWorkbook.from_path(path)
        sheets = [book.get_sheet_by_name(name).to_python() for name in book.sheet_names]
    except (CalamineError, OSError) as error:
        raise UserError(f"{path} is not a readable workbook: {error}", "save it anew as .xlsx or .csv") from None
    filled = [[row for row in sheet if any(cell != "" for cell in row)] for sheet in sheets]
    named = [(name, rows) for name, rows in zip(book.sheet_names, filled, strict=True) if len(rows) > 1]
    if len(named) > 1 and named[0][1][0] != named[1][1][0]:
        raise UserError(
            f"{path} has rows in several sheets: {', '.join(name for name, _ in named)}", "save the one that is meant"
        )
    # A title above the table fills one cell of many.
    for _, rows in named:
        while len(rows) > 1 and sum(cell != "" for cell in rows[0]) == 1 < len(rows[0]):
            rows.pop(0)
        header = [str(cell) for cell in rows[0]]
        _check_header(header, path)
        records = (([_cell(cell) for cell in row], "", number) for number, row in enumerate(rows[1:], 2))
        yield from _lists_read(_checked(records, header))


def _cell(value: Any) -> str:
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _check_header(header: list[str], path: Path) -> None:
    if len(header) > 1 and all(name.strip()[-1:] in SENTENCE_ENDS and len(name) > LONGEST_NAME for name in header):
        raise UserError(
            f"{path} has no header: its first line is {', '.join(header)[:100]!r}",
            "put the columns' names above it: question,answer",
        )
    if doubled := sorted({name for name in header if name and header.count(name) > 1}):
        raise UserError(f"{path} has several columns called {', '.join(doubled)}", "give each a name of its own")


def _checked(records: Iterable[tuple[list[str] | str, str, int]], header: list[str]) -> Iterator[tuple[Raw, int]]:
    for cells, raw, line in records:
        if isinstance(cells, str):
            wrong = cells
        elif len(cells) != len(header):
            wrong = f"{len(cells)} cells where the header has {len(header)}"
        elif any(map(undecoded, cells)):
            wrong = "not UTF-8"
        elif [cell.removeprefix(BOM) for cell in cells] == header:
            wrong = "the header once more"
        else:
            yield dict(zip(header, cells, strict=True)), len(raw) or sum(map(len, cells))
            continue
        yield Broken(legible(raw.rstrip("\r\n")), f"{wrong}, line {line}"), len(raw)


def _lists_read(rows: Iterator[tuple[Raw, int]]) -> Iterator[tuple[Raw, int]]:
    """Yield the rows with lists in place of lists that pandas wrote as text (['a', 'b']), in columns of such cells."""
    first = list(islice(rows, LOOKED_AT))
    known = [row for row, _ in first if isinstance(row, dict)]
    columns = [
        name
        for name in (known[0] if known else ())
        if (cells := [row[name] for row in known if row[name].strip()]) and all(read_literal(cell) for cell in cells)
    ]
    for row, weight in chain(first, rows):
        if isinstance(row, dict):
            row |= {name: found for name in columns if (found := read_literal(row[name])) is not None}
        yield row, weight


def read_records(lines: Iterable[str], delimiter: str) -> Iterator[tuple[list[str] | str, str, int]]:
    """Yield (cells, raw text, number of the last line) of each record; instead of cells, why it is none.

    Of a record that is broken (a quote that is never closed, or closed in the midst of a cell) only the first line is
    lost: reading goes on with the next one.
    """
    csv.field_size_limit(sys.maxsize)
    feed, again, number = iter(lines), deque[str](), 0

    def following() -> str | None:
        return again.popleft() if again else next(feed, None)

    while (first := following()) is not None:
        record, size, quotes, found = [first], len(first), first.count('"'), _parsed(first, delimiter)
        while found is None and size < LONGEST_RECORD and (line := following()) is not None:
            record.append(line)
            size, quotes = size + len(line), quotes + line.count('"')
            if quotes % 2 == 0:
                found = _parsed("".join(record), delimiter)
        if isinstance(found, list):
            number += len(record)
            if found:
                yield found, "".join(record), number
        else:
            number += 1
            again.extendleft(reversed(record[1:]))
            yield found or "a quote is opened and never closed", first, number


def _parsed(record: str, delimiter: str) -> list[str] | str | None:
    """Return the cells of a record, why it has none, or None when a quote is still open at its end."""
    try:
        return next(csv.reader([record.replace("\0", "")], delimiter=delimiter, strict=True), [])
    except csv.Error as error:
        return None if str(error) == "unexpected end of data" else f"broken CSV: {error}"
