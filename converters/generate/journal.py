"""replies.jsonl: what was shown and what came back, call by call. Going through it again repeats the run for nothing.

A round counts when all its lines are there; what a killed process left half-written is cut off.
"""

import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import orjson

from common.files import atomic
from common.llm.reply import Reply


@dataclass(frozen=True)
class Call:
    """One call of self-instruct: its number, the rows shown, and the reply."""

    number: int
    round: int
    of: int
    """Calls in the round."""
    shown: list[str]
    reply: Reply


def read_rounds(path: Path) -> list[list[Call]]:
    """Return the whole rounds of a journal, and cut off what stands behind them."""
    if not path.is_file():
        return []
    content = path.read_bytes()
    rounds: list[list[Call]] = []
    current: list[Call] = []
    end = place = 0
    for line in content.splitlines(keepends=True):
        call = _call(line) if line.endswith(b"\n") else None
        if call is None or call.round != len(rounds) or call.number != sum(map(len, rounds)) + len(current):
            break
        place += len(line)
        current.append(call)
        if len(current) == call.of:
            rounds.append(current)
            current, end = [], place
    if end < len(content):
        with atomic(path) as file:
            file.write(content[:end])
    return rounds


def append_round(path: Path, calls: Sequence[Call]) -> None:
    """Add a round, on disk when this returns."""
    lines = b"".join(orjson.dumps(asdict(call), option=orjson.OPT_APPEND_NEWLINE) for call in calls)
    with path.open("ab") as file:
        file.write(lines)
        file.flush()
        os.fsync(file.fileno())


def _call(line: bytes) -> Call | None:
    try:
        row: dict[str, Any] = orjson.loads(line)
        return Call(**{**row, "reply": Reply(**row["reply"])})
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return None
