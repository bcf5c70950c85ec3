"""Answers: one JSON Lines file for each contestant, `<folder>/answers/<who>.jsonl`."""

import re
from codecs import BOM_UTF8
from collections.abc import Iterator
from dataclasses import MISSING, dataclass, field, fields
from pathlib import Path
from typing import Any

import orjson

from common.errors import UserError
from common.llm.reply import CUT_OFF

REFUSED = "refused"  # the error of an answer that a content filter held back
WHO = re.compile(r"[\w.+-]+")


@dataclass(frozen=True)
class Answer:
    """One contestant's answer to one question, with what made it.

    `error` is "" or why there is no answer; `settings` holds temperature, max_tokens and the system prompt.
    """

    id: str
    who: str
    question: str
    answer: str
    model: str = ""
    finish_reason: str = ""
    error: str = ""
    tokens_in: int = 0
    tokens_out: int = 0
    settings: dict[str, Any] = field(default_factory=dict)
    of: str = ""
    """The file that it was taken from, where models of several runs meet."""

    @property
    def cut_off(self) -> bool:
        """Tell whether the answer ends where max_tokens was reached."""
        return self.finish_reason.lower() in CUT_OFF

    @property
    def empty(self) -> bool:
        """Tell whether the contestant answered with nothing."""
        return not self.error and not self.answer.strip()


def path_of(folder: Path, who: str) -> Path:
    """Return the file of a contestant's answers; `who` becomes a file name, so it must be one."""
    if not WHO.fullmatch(who) or who == "tie":
        raise UserError(f"{who!r} cannot name a contestant", "use letters, digits, dot, dash: WHO=gpt-4o")
    return folder / "answers" / f"{who}.jsonl"


def load(path: Path, kind: type[Any], **known: str) -> list[Any]:
    """Read rows of a kind; a field that has no default and is not `known` must be in each, others are passed over."""
    names = {one.name: one.default is one.default_factory is MISSING for one in fields(kind)}
    needed = tuple(name for name, must in names.items() if must and name not in known)
    rows = [known | {name: row[name] for name in names if name in row} for row in rows_of(path, needed)]
    return [kind(**row | {"id": str(row["id"])}) for row in rows]


def rows_of(path: Path, needed: tuple[str, ...]) -> Iterator[dict[str, Any]]:
    """Yield the rows of a file that a person may have edited; a broken one is a UserError with its line."""
    for number, line in enumerate(path.read_bytes().removeprefix(BOM_UTF8).splitlines(), 1):
        try:
            row = orjson.loads(line) if line.strip() else None
        except orjson.JSONDecodeError as error:
            raise UserError(f"{path} line {number} is not JSON ({error})", "correct or delete that line") from None
        if row is None:
            continue
        missing = [name for name in needed if not isinstance(row, dict) or name not in row]
        if missing:
            raise UserError(f"{path} line {number} has no {', '.join(missing)}", "docs/judging.md shows the format")
        if "answer" in needed and not isinstance(row["answer"], str):
            raise UserError(f"{path} line {number}: answer is {row['answer']!r:.40}, no text", 'no answer is ""')
        yield row
