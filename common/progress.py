"""Progress of long work: one live line in a terminal, no wider than it; a calm line every 15 s in a log."""

import sys
import time
from typing import Any, Self, TextIO

EVERY_TERMINAL = 0.1
EVERY_LOG = 15.0

_live: list[Any] = []
"""The lines that are shown now, the innermost last."""


def notice(text: str) -> None:
    """Say something on a line of its own, above a Progress that is being shown."""
    if _live:
        _live[-1].console.print(text, markup=False, highlight=False, soft_wrap=True)
    else:
        print(text, file=sys.stderr, flush=True)


class Progress:
    """Shows `label: done/total, time, time left`; `note` is added at the end of the line.

    A context manager, so that the terminal is left as it was found.
    """

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
        self._live: Any = None

    def begin(self, label: str, total: int = 0, before: int | None = None) -> None:
        """Go over to another phase of the same work, with a clock of its own; the old one stays in a log as a line."""
        if label != self.label:
            if not self._terminal:
                print(self._line(), file=self._stream, flush=True)
            self.label, self.done, self.before, self.note, self._started = label, 0, 0, "", time.monotonic()
        self.total = total
        self.before = self.before if before is None else before

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
        if not self._terminal:
            print(self._line(), file=self._stream, flush=True)
            return
        from rich.text import Text

        if self._live is None:
            from rich.console import Console
            from rich.live import Live

            console = Console(file=self._stream, force_terminal=True)
            self._live = Live(console=console, auto_refresh=False, redirect_stdout=False, redirect_stderr=False)
            self._live.start()
            _live.append(self._live)
        self._live.update(Text(self._line(), no_wrap=True, overflow="ellipsis"), refresh=True)
        if last:
            _live.remove(self._live)
            self._live.stop()
            self._live = None

    def _line(self) -> str:
        seconds = time.monotonic() - self._started
        parts = [f"{self.label}: {self.done}/{self.total}" if self.total else self.label, in_words(seconds)]
        new = self.done - self.before
        if new > 0 and self.done < self.total and seconds > 1:
            parts.append(f"about {in_words(seconds / new * (self.total - self.done))} left")
        return ", ".join([*parts, *filter(None, [self.note])])

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.show(last=True)


def in_words(seconds: float) -> str:
    """Return a duration: 45 s, 3 min 20 s, 2 h 5 min."""
    minutes, rest = divmod(round(seconds), 60)
    if minutes >= 60:
        return f"{minutes // 60} h {minutes % 60} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
