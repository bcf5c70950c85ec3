"""JSON to raw rows, in the shapes that people have it: lines, an array, objects over several lines, one object."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from common.errors import UserError
from converters.read.text import BOM, HEAD, Broken, Raw, encoding_of, legible, open_text, open_unpacked, undecoded

LARGEST_OBJECT = 1 << 30
"""Bytes of one JSON object that holds all the rows: it is read as a whole."""
LONGEST_ELEMENT = 64 << 20
"""An element of a JSON array that has not ended after so many characters is broken."""
BETWEEN = f", \n\r\t[]{BOM}"
"""What may stand between elements. A bracket in the wrong place ends nothing: the file's end does."""
NEXT_ELEMENT = re.compile(r"[}\]\"]?\s*,\s*(?=\{)|\}\s+(?=\{)")
MESSAGE = {"role", "from", "content", "value", "human", "assistant"}
"""Keys of one turn: a list of such objects is a conversation, not rows."""


def json_rows(path: Path) -> Iterator[tuple[Raw, int]]:
    """Yield (row, the bytes it took) of a JSON file; how it holds its rows is told from its beginning."""
    with open_text(path) as file:
        head = file.read(HEAD)
        more = bool(file.read(1))
    start = head.lstrip(f"{BOM}, \n\r\t")
    if not start.startswith("{"):
        return _elements(path) if start.startswith("[") else _lines(path)
    lines = [line for line in start.splitlines() if line.strip()]
    objects = (line.encode(errors="surrogateescape") for line in lines[:50] if line.startswith("{"))
    if (more or len(lines) > 1) and any(isinstance(parse_line(line), dict) for line in objects):
        return _lines(path)
    return _one_object(path, start, more)


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
    mark = BOM.encode()
    with open_unpacked(path) if encoding_of(path) == "utf-8" else open_text(path) as file:
        for line in file:
            content = line.encode(errors="surrogateescape") if isinstance(line, str) else line
            content = content.removeprefix(mark)  # files that were put together have one at each seam
            if content.strip():
                yield content, len(line)


def _elements(path: Path) -> Iterator[tuple[Raw, int]]:
    """Stream the elements of an array, or objects one after another; after a broken one go on at the next."""
    decoder = json.JSONDecoder()
    with open_text(path) as file:
        buffer, place, ended = "", 0, False
        while True:
            while place < len(buffer) and buffer[place] in BETWEEN:
                place += 1
            try:
                if place >= len(buffer) and not ended:
                    raise ValueError("more is needed")
                if place >= len(buffer):
                    return
                value, end = decoder.raw_decode(buffer, place)
                if end == len(buffer) and not ended:
                    raise ValueError("a number may go on")
            except (ValueError, RecursionError) as error:
                if not ended and (len(buffer) - place < HEAD or not _next_element(buffer, place)):
                    more = file.read(HEAD)
                    buffer, place, ended = buffer[place:] + more, 0, not more
                    if len(buffer) < LONGEST_ELEMENT:
                        continue
                end = _next_element(buffer, place) or len(buffer)
                yield Broken(legible(buffer[place:end].rstrip(", \n\r\t]")), f"broken JSON: {error}"), end - place
                place = end
                continue
            yield _element(value, buffer[place:end]), end - place
            place = end
            if place > HEAD:
                buffer, place = buffer[place:], 0


def _next_element(buffer: str, place: int) -> int:
    """Return where the next element seems to begin, 0 when none is in sight."""
    found = NEXT_ELEMENT.search(buffer, place + 1)
    return found.end() if found else 0


def _element(value: Any, raw: str) -> Raw:
    if not isinstance(value, dict):
        return Broken(legible(raw), f"not an object but {type(value).__name__}")
    return Broken(legible(raw), "not UTF-8") if undecoded(raw) else value


def _one_object(path: Path, start: str, more: bool) -> Iterator[tuple[Raw, int]]:
    """Yield the rows of a file that is one object; of several over several lines when it is not."""
    try:
        _, end = json.JSONDecoder().raw_decode(start)
        alone = not more and not start[end:].strip(BETWEEN)
    except (ValueError, RecursionError):
        alone = more  # the object is longer than what was looked at
    if not alone:
        return _elements(path)
    if path.stat().st_size > LARGEST_OBJECT:
        raise UserError(f"{path} is one JSON object of {path.stat().st_size / 1e9:.1f} GB", "write a row a line")
    with open_text(path) as file:
        content = file.read()
    try:
        value = json.loads(content.lstrip(BOM))
    except (ValueError, RecursionError):
        return _elements(path)
    rows = rows_of_object(value, str(path))
    weight = len(content) // max(1, len(rows))
    return iter([(_element(row, str(row)), weight) for row in rows])


def rows_of_object(value: dict[str, Any], where: str) -> list[Any]:
    """Return the rows that one JSON object holds, whichever way it holds them; itself when it is a row.

    Known are {"data": [row, row]}, {"result": {"rows": [row, row]}}, {"id": row, "id": row}, {"What ...?": "answer"},
    columns as pandas writes them ({"question": {"0": ...}}), columns as lists, and pandas' "split" orientation.
    """
    lists = _lists(value)
    if {"columns", "data"} <= set(lists) and all(isinstance(row, list) for row in value["data"]):
        return [dict(zip(value["columns"], row, strict=False)) for row in value["data"]]
    if len(lists) == len(value) and len({len(item) for item in lists.values()}) == 1 and not _of_rows(lists):
        return [dict(zip(value, cells, strict=True)) for cells in zip(*value.values(), strict=True)]
    if held := _of_rows(lists):
        if len(held) > 1:
            raise UserError(f"{where} holds several lists of rows: {', '.join(held)}", "give each a file of its own")
        return lists[held[0]]
    inner = list(value.values())
    if nested := [item for item in inner if isinstance(item, dict) and _of_rows(_lists(item))]:
        return [row for item in nested for row in rows_of_object(item, where)]
    if len(value) > 2 and all(isinstance(item, str) for item in inner) and all(map(_is_question, value)):
        return [{"question": asked, "answer": told} for asked, told in value.items()]
    if len(value) > 1 and all(isinstance(item, dict) and item for item in inner):
        if all(str(key).isdigit() for item in inner for key in item):
            numbers = dict.fromkeys(number for item in inner for number in item)
            return [{column: cells.get(number) for column, cells in value.items()} for number in numbers]
        return inner
    return [value]


def _lists(value: dict[str, Any]) -> dict[str, list[Any]]:
    return {key: item for key, item in value.items() if isinstance(item, list) and item}


def _is_question(key: str) -> bool:
    return key.rstrip().endswith(("?", "？")) or key.count(" ") > 2


def _of_rows(lists: dict[str, list[Any]]) -> list[str]:
    """Return the keys whose lists hold rows (objects that are no turns of a conversation)."""
    return [
        key
        for key, items in lists.items()
        if all(isinstance(item, dict) for item in items) and not all(set(item) <= MESSAGE for item in items)
    ]
