"""What a task is: where its rows come from, and how one raw row becomes one record. Imports nothing heavy."""

import ast
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

Row = Mapping[str, Any]
Options = Mapping[str, Any]


class Skip(Exception):  # noqa: N818 - not an error: a row that a converter leaves out
    """Raised by a converter for a row that it leaves out; the row lands in rejected.jsonl.

    `record` is what the row would be, for a person who wants to keep it all the same (`make rows`).
    """

    def __init__(self, step: str, reason: str, record: "Record | None" = None) -> None:
        super().__init__(reason)
        self.step = step
        self.reason = reason
        self.record = record


@dataclass(slots=True)
class Record:
    """One training example in no particular format yet.

    `question` is what makes two rows ask the same thing ("" stands for instruction and input): it decides the
    split, and is what decontamination looks at. `history` holds the earlier (question, answer) turns.
    """

    instruction: str
    input: str
    output: str
    system: str = ""
    history: list[tuple[str, str]] = field(default_factory=list)
    question: str = ""

    @property
    def prompt(self) -> str:
        """The last turn's question as LLaMA-Factory joins it."""
        return f"{self.instruction}\n{self.input}" if self.input else self.instruction

    @property
    def shown(self) -> str:
        """All that the user says, in every turn."""
        return "\n".join([*(question for question, _ in self.history), self.prompt])

    @property
    def told(self) -> str:
        """All that is answered, in every turn."""
        return "\n".join([*(answer for _, answer in self.history), self.output])

    @property
    def asked(self) -> str:
        """What makes two rows ask the same thing."""
        return self.question or self.shown


Convert = Callable[[Row, str, Options], Record]
"""(raw row, name of its file, the task's options) -> record. Pure; raises Skip to leave a row out."""


@dataclass(frozen=True)
class File:
    """One file of a data set: its path in the hub's repository, the columns it must have, its own split if fixed.

    A row may lack an optional column, but not every row of the file.
    """

    path: str
    columns: tuple[str, ...] = ()
    split: str = ""
    optional: tuple[str, ...] = ()


@dataclass(frozen=True)
class Task:
    """A task: one data set, one language, one domain."""

    name: str
    title: str
    language: str
    """ISO 639-1 code: en, zh ..."""
    domain: str
    files: tuple[File, ...]
    """Empty: any data file of the hub's repository or of SOURCE, with `columns`, its split by its name."""
    convert: Convert
    hub: str = ""
    """The data set's id on the hub."""
    revision: str = "main"
    """A commit where one is known; `main` otherwise (the card records the commit it stood for)."""
    url: str = ""
    """Its page, where that is not the one on the hub."""
    licence: str = ""
    rows: int = 0
    """Raw rows at full size, as far as known."""
    system: str = ""
    """System prompt, for training (SET system=true) and answering."""
    defaults: Options = field(default_factory=dict)
    """Settings that this task wants otherwise than the general defaults."""
    options: Options = field(default_factory=dict)
    """Settings of this task alone, with their defaults."""
    option_help: Mapping[str, str] = field(default_factory=dict)
    has_history: bool = False
    """Rows are conversations of several turns."""
    has_system: bool = False
    """Rows bring their own system prompts."""
    columns: tuple[str, ...] = ()
    """Columns that every row must have, for a task without `files`."""
    optional: tuple[str, ...] = ()
    """Columns that a row may lack, for a task without `files`."""
    source: str = ""
    """A local path that stands for SOURCE when none is given (custom tasks)."""

    @property
    def page(self) -> str:
        """Where a person reads about the data set and accepts its terms; "" when it is not known."""
        return self.url or (f"https://huggingface.co/datasets/{self.hub}" if self.hub else "")


def is_nan(value: Any) -> bool:
    """Tell whether a value is the number NaN, which pandas and CSV round trips make of empty cells."""
    return isinstance(value, float) and math.isnan(value)


NOTHING_GIVEN = frozenset(("nan", "<noinput>", "noinput", "no input", "n/a", "none", "null"))
"""What stands in an `input` that is empty, in small letters."""


def given_text(value: str) -> str:
    """Return an `input`, "" for one that only says that there is none."""
    return "" if value.strip().lower() in NOTHING_GIVEN else value


SEAM = re.compile(r"(?<=['\"}])\s+(?=['\"{])")
"""numpy writes lists without commas."""


def read_literal(text: str) -> list[Any] | dict[str, Any] | None:
    """Return the list or object that a text is, as JSON or Python writes it; None when it is none."""
    text = text.strip()
    if (text[:1], text[-1:]) not in (("[", "]"), ("{", "}")):
        return None
    import orjson

    try:
        found = orjson.loads(text)
    except orjson.JSONDecodeError:
        try:
            found = ast.literal_eval(SEAM.sub(", ", text))
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            return None
    return found if isinstance(found, list | dict) else None


def has_column(row: Row, column: str) -> bool:
    """Tell whether a row has a column, or the one that a path in it begins with (answers.text)."""
    return column in row or column.partition(".")[0] in row


def text(row: Row, column: str) -> str:
    """Return a column's text: "" for nothing, numbers as written; Skip when it is no text at all."""
    value = row.get(column)
    if isinstance(value, str):
        return value
    if value is None or is_nan(value):
        return ""
    if isinstance(value, int | float):
        return str(value)
    raise Skip("columns", f"{column} holds {type(value).__name__}, not text")
