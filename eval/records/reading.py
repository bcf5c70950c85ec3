"""Files that people make themselves: JSON Lines, JSON, a table from a spreadsheet, plain lines."""

import csv
from collections.abc import Iterable, Iterator
from io import StringIO
from pathlib import Path
from typing import Any

import orjson

from common.errors import UserError

LETTERS = "ABCDEFGH"  # columns of a table that hold the choices
TABLES = (".csv", ".tsv")


def read_rows(path: Path, problems: list[str]) -> Iterator[tuple[str, Any]]:
    """Yield (place, row) of a file by its suffix; lines that cannot be read are added to `problems`."""
    try:
        text = path.read_text("utf-8-sig")
    except UnicodeDecodeError:
        raise UserError(
            f"{path} is not UTF-8 text",
            f"save it as CSV UTF-8 in the spreadsheet, or: iconv -f gb18030 -t utf-8 {path} > utf8-{path.name}",
        ) from None
    suffix = path.suffix.lower()
    if suffix in TABLES:
        yield from _table(text, problems)
    elif suffix == ".json":
        try:
            rows = orjson.loads(text)
        except orjson.JSONDecodeError as error:
            raise UserError(f"{path} is not JSON: {error}") from None
        yield from ((f"entry {n}", row) for n, row in enumerate(rows if isinstance(rows, list) else [rows], 1))
    elif suffix == ".txt":
        yield from _lines(text)
    else:
        for place, line in _lines(text):
            try:
                yield place, orjson.loads(line)
            except orjson.JSONDecodeError as error:
                problems.append(f"{place}: not JSON ({error})")


def _lines(text: str) -> Iterable[tuple[str, str]]:
    # Not splitlines: it also splits at characters that JSON and people leave inside a text (U+2028, U+0085).
    return ((f"line {number}", line) for number, line in enumerate(text.split("\n"), 1) if line.strip())


def _table(text: str, problems: list[str]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the rows of a CSV; whether commas, semicolons or tabs divide it is seen from its first row."""
    divider = max(",;\t", key=text.partition("\n")[0].count)
    for number, row in enumerate(csv.DictReader(StringIO(text, newline=""), delimiter=divider), 2):
        if None in row:
            problems.append(f"row {number}: more cells than columns; a text with {divider!r} in it needs quotes")
            continue
        choices = {letter: row[letter].strip() for letter in LETTERS if row.get(letter)}
        yield f"row {number}", row | ({"choices": choices} if len(choices) > 1 else {})


def first_of(row: dict[str, Any], columns: tuple[str, ...]) -> str:
    """Return the text of the first of `columns` that a row has something in, or ""."""
    return next((str(row[name]).strip() for name in columns if row.get(name) not in (None, "")), "")
