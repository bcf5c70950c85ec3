"""One live line in a terminal, no wider than it; calm lines in a log."""

import io
import re

import pytest

from common import progress as module
from common.progress import Progress, in_words, notice


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_has_one_line_that_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    monkeypatch.setattr(module, "EVERY_TERMINAL", 0.0)
    terminal = Terminal()
    with Progress("reading the rows of a long-named task", 100, terminal) as progress:
        for _ in range(5):
            progress.step(20, "a note that is far too long to fit here")
        notice("warning: of something else")
    raw = terminal.getvalue()
    lines = [re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", line) for line in re.split(r"[\r\n]+", raw)]
    assert max(map(len, lines)) <= 40
    assert raw.count("\n") <= 3  # the note, and the end of the line; a live line ends with a carriage return
    assert any(line.startswith("warning: of something else") for line in lines)
    assert raw.rstrip().endswith("\x1b[?25h")  # the cursor is back
    assert not module._live


def test_a_log_has_a_line_every_15_seconds(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    clock = [100.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: clock[0])
    with Progress("training, step", 30) as progress:
        for _ in range(30):
            clock[0] += 2
            progress.step()
    assert capsys.readouterr().err.splitlines() == [
        "training, step: 8/30, 16 s, about 44 s left",
        "training, step: 16/30, 32 s, about 28 s left",
        "training, step: 24/30, 48 s, about 12 s left",
        "training, step: 30/30, 1 min 0 s",
    ]


def test_another_phase_begins_with_its_own_clock(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    clock = [0.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: clock[0])
    with Progress("loading", 0) as progress:
        clock[0] = 9.0
        progress.begin("training", 10, before=5)
        progress.done = 5
        clock[0] = 12.0
    assert capsys.readouterr().err.splitlines() == ["loading, 9 s", "training: 5/10, 3 s"]


def test_durations_in_words() -> None:
    assert [in_words(seconds) for seconds in (0.2, 59, 60, 3725)] == ["0 s", "59 s", "1 min 0 s", "1 h 2 min"]
