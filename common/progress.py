"""Progress of long work: one line that is rewritten on a terminal, a line now and then in a log."""

import sys
import time
from types import TracebackType
from typing import Self, TextIO

EVERY_TERMINAL = 0.1
EVERY_LOG = 15.0


def notice(text: str) -> None:
    """Say something on a line of its own while a Progress may be shown."""
    start = "\r\x1b[K" if sys.stderr.isatty() else ""
    print(f"{start}{text}", file=sys.stderr, flush=True)


class Progress:
    """Shows `label: done/total, rate, time left`; `note` is added at the end of the line."""

    def __init__(self, label: str, total: int, stream: TextIO | None = None) -> None:
        self.label = label
        self.total = total
        self.done = 0
        self.before = 0  # done by an earlier try; they cost no time now
        self.note = ""
        self._stream = stream or sys.stderr
        self._terminal = self._stream.isatty()
        self._started = time.monotonic()
        self._shown = self._started if not self._terminal else 0.0

    def step(self, count: int = 1, note: str | None = None) -> None:
        """Count `count` more as done."""
        self.done += count
        self.note = self.note if note is None else note
        self.show()

    def show(self, last: bool = False) -> None:
        """Show the line when it is time."""
        now = time.monotonic()
        if not last and now - self._shown < (EVERY_TERMINAL if self._terminal else EVERY_LOG):
            return
        self._shown = now
        end = ("\n" if last else "") if self._terminal else "\n"
        start = "\r\x1b[K" if self._terminal else ""
        print(f"{start}{self._line(now - self._started)}", end=end, file=self._stream, flush=True)

    def _line(self, seconds: float) -> str:
        parts = [f"{self.label}: {self.done}/{self.total}" if self.total else self.label, f"{seconds:.0f} s"]
        new = self.done - self.before
        if new > 0 and self.done < self.total and seconds > 1:
            parts.append(f"about {seconds / new * (self.total - self.done):.0f} s left")
        return ", ".join([*parts, *filter(None, [self.note])])

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.show(last=True)
