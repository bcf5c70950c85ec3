"""Text files, in whatever encoding and packed or not, and what stands for a piece of one that is no row."""

import bz2
import codecs
import gzip
import io
import lzma
import re
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, cast

from common.errors import UserError

BOM = "\ufeff"
HEAD = 1 << 20
"""Bytes from which a file's encoding and shape are told."""
ENCODINGS = ("gb18030", "big5", "shift_jis", "euc_kr", "cp1252", "cp1251")
"""What a file that is no UTF-8 may be in."""
PACKERS: dict[bytes, Any] = {b"\x1f\x8b": gzip.open, b"BZh": bz2.open, b"\xfd7zXZ": lzma.open}
UNDECODED = re.compile("[\udc80-\udcff]")


@dataclass(frozen=True)
class Broken:
    """A piece of a file that is no row: what it was, and why it cannot be read."""

    raw: str
    reason: str


Raw = bytes | dict[str, Any] | Broken
"""A row: a line of JSON that is still to be parsed, a row, or none."""


def open_unpacked(path: Path) -> IO[bytes]:
    """Open a file, unpacked when it is packed, whatever its name says."""
    with path.open("rb") as file:
        magic = file.read(6)
    packer = next((packer for begins, packer in PACKERS.items() if magic.startswith(begins)), None)
    return cast(IO[bytes], packer(path, "rb") if packer else path.open("rb"))


@contextmanager
def unpacking(path: Path) -> Iterator[None]:
    """Tell what is wrong with a packed file as a mistake of the user's."""
    try:
        yield
    except (gzip.BadGzipFile, EOFError, zlib.error, lzma.LZMAError) as error:
        raise UserError(f"{path} cannot be unpacked: {error}", "get the file again") from None


def open_text(path: Path, newline: str = "\n") -> io.TextIOWrapper:
    """Open a text file, line ends kept; bytes that are no text become lone surrogates (see `undecoded`)."""
    encoding = encoding_of(path).replace("utf-8", "utf-8-sig")
    return io.TextIOWrapper(open_unpacked(path), encoding=encoding, errors="surrogateescape", newline=newline)


def encoding_of(path: Path) -> str:
    """Return the encoding of a text file: UTF-8, unless most of its lines with other letters are none."""
    with unpacking(path), open_unpacked(path) as file:
        head = file.read(HEAD)
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    lines = head.split(b"\n")
    if len(head) == HEAD:  # the last line may end in the middle of a letter
        lines[-1] = lines[-1][:-4]
    odd = [line for line in lines if not line.isascii()]
    wrong = [line for line in odd if not _is_utf8(line)]
    if len(wrong) <= len(odd) / 2:
        return "utf-8"
    from charset_normalizer import from_bytes

    found = from_bytes(b"\n".join(wrong or lines)[: HEAD // 16], cp_isolation=list(ENCODINGS)).best()
    return found.encoding if found else "utf-8"


def _is_utf8(line: bytes) -> bool:
    try:
        line.decode()
    except UnicodeDecodeError:
        return False
    return True


def undecoded(text: str) -> bool:
    """Tell whether some bytes of a text could not be decoded."""
    return not text.isascii() and UNDECODED.search(text) is not None


def legible(text: str) -> str:
    """Return text with undecodable bytes written as escapes, fit for JSON."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
