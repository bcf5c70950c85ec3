"""Files that are whole or absent: written beside their place, flushed, and renamed."""

import hashlib
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import orjson

from common.errors import UserError


@contextmanager
def atomic(path: Path) -> Iterator[IO[bytes]]:
    """Open a binary file that takes the place of `path` only when the block ends without an error."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with temporary.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write `text` as UTF-8, atomically."""
    with atomic(path) as file:
        file.write(text.encode())


def write_json(path: Path, value: Any) -> None:
    """Write `value` as indented JSON (UTF-8, non-ASCII kept), atomically."""
    with atomic(path) as file:
        file.write(orjson.dumps(value, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))


class BrokenJSONError(UserError, ValueError):
    """A file that should hold JSON and does not: broken off, or edited by hand."""

    def __init__(self, place: str, error: ValueError) -> None:
        super().__init__(f"{place} is not JSON: {error}", "fix it, or move it away; the same command then goes on")


def read_json(path: Path) -> Any:
    """Read a JSON file."""
    try:
        return orjson.loads(Path(path).read_bytes())
    except orjson.JSONDecodeError as error:
        raise BrokenJSONError(str(path), error) from None


def read_object(path: Path) -> dict[str, Any]:
    """Return the object that a JSON file holds, {} where there is no file."""
    found = read_json(path) if path.is_file() else {}
    if not isinstance(found, dict):
        raise BrokenJSONError(str(path), ValueError("it holds no object"))
    return found


def write_jsonl(path: Path, rows: Iterable[dict[str, Any]]) -> int:
    """Write one JSON object a line, atomically; return how many."""
    count = 0
    with atomic(path) as file:
        for row in rows:
            file.write(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE))
            count += 1
    return count


def read_jsonl(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the objects of a JSON Lines file, blank lines passed over."""
    with Path(path).open("rb") as file:
        for number, line in enumerate(file, 1):
            try:
                row = orjson.loads(line) if line.strip() else None
            except orjson.JSONDecodeError as error:
                raise BrokenJSONError(f"line {number} of {path}", error) from None
            if row is not None:
                yield row


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file's bytes, in hexadecimal."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sha256_of(value: Any) -> str:
    """Return the SHA-256 of a JSON-like value, the same for equal values in any key order."""
    return hashlib.sha256(orjson.dumps(value, option=orjson.OPT_SORT_KEYS)).hexdigest()
