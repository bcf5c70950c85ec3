"""CSV and TSV to records, where a broken record costs one line and not what follows it."""

import csv
import sys
from collections import deque
from collections.abc import Iterable, Iterator

LONGEST_RECORD = 1 << 20
"""A record that has not ended after so many characters has a quote that is never closed."""


def read_records(lines: Iterable[str], delimiter: str) -> Iterator[tuple[list[str] | str, str, int]]:
    """Yield (cells, raw text, number of the last line) of each record; instead of cells, why it is none.

    Of a record that is broken (a quote that is never closed, or closed in the midst of a cell) only the first line is
    lost: reading goes on with the next one.
    """
    csv.field_size_limit(sys.maxsize)
    feed = _Feed(lines)
    while True:
        try:
            for cells in csv.reader(feed, delimiter=delimiter, strict=True):
                if cells:
                    yield cells, "".join(feed.record), feed.number
                feed.record.clear()
            return
        except csv.Error as error:
            wrong = f"broken CSV: {error}" if feed.lasted else "a quote is opened and never closed"
            yield wrong, feed.take_back(), feed.number


class _Feed:
    """Gives a CSV reader its lines, and keeps those of the record under way.

    A reader that asks for another line in the middle of a record is inside quotes.
    """

    def __init__(self, lines: Iterable[str]) -> None:
        self._lines = iter(lines)
        self._again: deque[str] = deque()
        self.record: list[str] = []
        self.number = 0
        self.lasted = True
        """Whether there was always another line to give inside quotes."""

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        if not self.record:
            self._size, self.lasted = 0, True
        line = None
        if self._size < LONGEST_RECORD:
            line = self._again.popleft() if self._again else next(self._lines, None)
        if line is None:
            self.lasted = not self.record
            raise StopIteration
        self.number += 1
        self._size += len(line)
        self.record.append(line)
        return line.replace("\0", "")

    def take_back(self) -> str:
        """Return the first line of the record under way, and give the others once more."""
        first, *others = self.record
        self._again.extendleft(reversed(others))
        self.number -= len(others)
        self.record.clear()
        return first
