"""A task as one YAML file: where the rows are, which column is what, language, domain, system prompt, filters.

docs/custom_tasks.md describes the keys. Everything that is wrong in a file is reported at once.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, Strict, model_validator

from common.schema import Schema, Text, Texts, build, unknown_key
from common.yaml_files import read_yaml
from converters.read.messages import ASSISTANT, in_turns, last_turn, messages_in
from converters.settings import Settings
from converters.task import File, Options, Record, Row, Skip, Task, given_text, is_nan

PLACE = re.compile(r"\{([^{}]+)\}")
NO_VALUE = ("nan", "NaN", "<noinput>")
"""What other programs write for nothing."""
ALIKE = {"language", "domain", "hub", "revision", "source", "url", "licence", "rows", "system"}
"""Keys of tasks/NAME.yaml that are fields of Task."""
LETTERS = "ABCDEFGHIJ"
OWN_LETTER = re.compile(r"\s*[(（]?([A-Z])[)）.．、:：]\s*")
"""An option's letter, where it is a part of the option."""


class Filter(Schema):
    """Rows to keep, by one column's value."""

    column: Text
    at_least: float | None = None
    at_most: float | None = None
    one_of: Annotated[tuple[Any, ...], Strict(False)] | None = None
    none_of: Annotated[tuple[Any, ...], Strict(False)] | None = None
    matches: re.Pattern[str] | None = None
    not_matches: re.Pattern[str] | None = None
    min_length: int | None = None
    max_length: int | None = None

    @model_validator(mode="after")
    def _tests(self) -> Self:
        if not self.wanted:
            raise ValueError(f"needs one of {', '.join(PASSES)}")
        return self

    @property
    def wanted(self) -> dict[str, Any]:
        """The tests of this filter, each with its operand."""
        return {name: value for name, value in self if name in PASSES and value is not None}

    def refuses(self, row: Row) -> str:
        """Return why a row does not pass, "" when it does."""
        value = value_at(row, self.column)
        for name, wanted in self.wanted.items():
            if not PASSES[name](value, wanted):
                operand = getattr(wanted, "pattern", list(wanted) if isinstance(wanted, tuple) else wanted)
                return f"{self.column} is {str(value)[:60]!r}, wanted {name} {operand!r}"
        return ""


def _number(value: Any) -> float:
    """Return a value as a number; NaN, which passes no test, when it is none."""
    try:
        return float(value)
    except (TypeError, ValueError):
        return float("nan")


PASSES: dict[str, Callable[[Any, Any], bool]] = {
    "at_least": lambda value, wanted: _number(value) >= wanted,
    "at_most": lambda value, wanted: _number(value) <= wanted,
    "one_of": lambda value, wanted: str(value) in map(str, wanted),
    "none_of": lambda value, wanted: str(value) not in map(str, wanted),
    "matches": lambda value, wanted: bool(wanted.search(str(value or ""))),
    "not_matches": lambda value, wanted: not wanted.search(str(value or "")),
    "min_length": lambda value, wanted: len(str(value or "")) >= wanted,
    "max_length": lambda value, wanted: len(str(value or "")) <= wanted,
}


class Columns(Schema):
    """Which column is what: a column, a path in it (answers.text.0) or a template ("Explain {term} to {reader}")."""

    instruction: Text = ""
    input: Text = ""
    output: Text = ""
    system: Text = ""
    history: Text = ""
    """Earlier turns: a list of (question, answer)."""
    choices: Text | Texts = ""
    """What a multiple-choice question lets choose from: one column with all, or a list of columns."""

    @property
    def named(self) -> dict[str, str]:
        """The parts that are one column or template, each with it."""
        return {part: value for part, value in self if value and isinstance(value, str)}


def _language(code: str) -> str:
    if not re.fullmatch(r"[a-z]{2,3}", code):
        raise ValueError(f"a code of two or three letters is wanted (en, zh ...), got {code!r}")
    return code


class Splits(Schema):
    """Shares of rows to hold out."""

    test: float | None = None
    val: float | None = None


class CustomTask(Schema):
    """The keys of tasks/NAME.yaml."""

    title: Text = ""
    language: Annotated[str, AfterValidator(_language)] = "en"
    domain: Text = ""
    hub: Text = ""
    revision: Text = "main"
    source: Text = ""
    url: Text = ""
    licence: Text = ""
    rows: int = 0
    files: Texts | dict[Literal["train", "val", "test"], Text | Texts] = ()
    columns: Columns = Columns()
    conversations: Text = ""
    first_choice: Literal[0, 1] | None = None
    system: Text = ""
    filters: Annotated[tuple[Filter, ...], Strict(False)] = ()
    splits: Splits = Splits()
    settings: dict[str, Any] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _complete(self) -> Self:
        columns = self.columns
        if self.conversations:
            if wrong := [part for part in ("instruction", "input", "history", "choices") if getattr(columns, part)]:
                raise ValueError(f"conversations and columns.{wrong[0]} exclude each other")
        elif not columns.named:
            raise ValueError("give either columns (instruction, output ...) or conversations (a column)")
        elif lacking := [part for part in ("instruction", "output") if not getattr(columns, part)]:
            raise ValueError(f"columns lacks {', '.join(lacking)}")
        if not self.hub and not self.source:
            raise ValueError("give hub (a data set's id) or source (a path)")
        return self


def load_yaml(path: Path) -> Task:
    """Return the task that a YAML file describes; UserError with everything that is wrong in it."""
    hint = f"fix that file; its keys: {', '.join(CustomTask.model_fields)}"
    return build_task(path.stem, read_yaml(path, hint=hint), str(path))


def build_task(name: str, about: Mapping[str, Any], where: str) -> Task:
    """Return the task for a description; UserError with everything that is wrong in it."""
    settings = about.get("settings")
    known = list(Settings.model_fields)
    problems = [f"settings: {unknown_key(str(key), known)}" for key in settings or () if key not in known]
    custom = build(CustomTask, about, where, problems=problems if isinstance(settings, dict) else ())
    columns = custom.columns
    # Many a row of JSON Lines has no `input` or `system` when there is nothing to say in it.
    tested = [rule.column for rule in custom.filters if rule.wanted.keys() - MAYBE]
    needed = tuple(
        dict.fromkeys([*named_columns([columns.instruction, columns.output, custom.conversations]), *tested])
    )
    others = named_columns([*columns.named.values(), *_listed(columns.choices)])
    optional = tuple(column for column in others if column not in needed)
    by_split = custom.files.items() if isinstance(custom.files, dict) else [("", custom.files)]
    files = [File(file, needed, split, optional) for split, names in by_split for file in _listed(names)]

    def convert(row: Row, file: str, options: Options) -> Record:
        return to_record(row, custom)

    return Task(
        **custom.model_dump(include=ALIKE),
        name=name,
        title=custom.title or name,
        files=tuple(files),
        columns=needed,
        optional=optional,
        convert=convert,
        defaults={**custom.settings, **custom.splits.model_dump(exclude_none=True)},
        has_history=bool(custom.conversations or columns.history),
        has_system=bool(custom.conversations or columns.system),
    )


def _listed(names: str | tuple[str, ...]) -> tuple[str, ...]:
    return (names,) if isinstance(names, str) else names


MAYBE = {"max_length", "none_of", "not_matches"}
"""Tests that a row without the column passes."""


def to_record(row: Row, custom: CustomTask) -> Record:
    """Return what a row says by the columns of a task; Skip for one that its filters leave out."""
    if why := next(filter(None, (rule.refuses(row) for rule in custom.filters)), ""):
        record = None
        with suppress(Skip):
            record = _record(row, custom)
        raise Skip("filter", why, record)
    return _record(row, custom)


def _record(row: Row, custom: CustomTask) -> Record:
    columns = custom.columns
    if custom.conversations:
        said = messages_in(value_at(row, custom.conversations))
        if columns.output:  # the answers stand beside the conversation, as in rows of preferences
            said.append((ASSISTANT, filled(row, columns.output)))
        record = last_turn(said)
        record.system = (filled(row, columns.system) if columns.system else "") or record.system
        return record
    parts = {part: filled(row, columns.named[part]) for part in ("instruction", "input", "output", "system")
             if part in columns.named}  # fmt: skip
    given = given_text(parts.get("input", ""))
    record = Record(parts["instruction"], given, parts["output"], parts.get("system", ""))
    if columns.history and (earlier := value_at(row, columns.history)):
        record.history = in_turns(messages_in(earlier))
    if columns.choices:
        _add_choices(record, row, columns.choices, custom.first_choice)
    return record


def _add_choices(record: Record, row: Row, column: str | tuple[str, ...], first: int | None) -> None:
    """Put what there is to choose from below the question, and a letter in place of an answer's number."""
    found = value_at(row, column) if isinstance(column, str) else [value_at(row, name) for name in column]
    if isinstance(found, dict) and isinstance(found.get("text"), list):
        found = dict(zip(found.get("label") or LETTERS, found["text"], strict=False))
    if isinstance(found, list) and all(isinstance(one, dict) and {"label", "text"} <= one.keys() for one in found):
        found = {one["label"]: one["text"] for one in found}
    if isinstance(found, list):
        texts = [as_text(one, "choices") for one in found]
        own = [OWN_LETTER.match(text) for text in texts]
        if [letter and letter[1] for letter in own] == list(LETTERS[: len(own)]):  # A. and B. stand there already
            texts = [text[letter.end() :] for text, letter in zip(texts, own, strict=True) if letter]
        found = dict(zip(LETTERS, texts, strict=False))
    if not isinstance(found, dict):
        raise Skip("columns", f"the choices are {type(found).__name__}, not a list")
    shown = [f"{letter}. {text}" for letter, text in found.items() if str(text or "").strip()]
    record.instruction = "\n".join([record.instruction, *shown])
    if first is not None:
        number = _number(record.output)
        if not 0 <= number - first < len(found):
            raise Skip("columns", f"the answer {record.output!r} is none of {len(found)} choices")
        record.output = list(found)[int(number) - first]


def named_columns(values: Iterable[Any]) -> tuple[str, ...]:
    """Return the columns that some columns, paths and templates name."""
    places = [place for value in values if value for place in (PLACE.findall(value) or [value])]
    return tuple(dict.fromkeys(places))


def filled(row: Row, template: str) -> str:
    """Return a column's text, or a template with its {columns} filled in."""
    if template in row or not PLACE.search(template):
        return as_text(value_at(row, template), template)
    return PLACE.sub(lambda match: as_text(value_at(row, match[1]), match[1]), template)


def value_at(row: Any, path: str) -> Any:
    """Return the value under a name, or a dotted path (answers.text.0); None when there is none."""
    if isinstance(row, dict) and path in row:
        return row[path]
    for step in path.split("."):
        if isinstance(row, dict):
            row = row.get(step)
        elif isinstance(row, list) and step.isdigit() and int(step) < len(row):
            row = row[int(step)]
        else:
            return None
    return row


def as_text(value: Any, path: str) -> str:
    """Return a value as text: "" for nothing, a list of texts as lines, a message as what it says; else Skip."""
    if value is None or is_nan(value):
        return ""
    if isinstance(value, str):
        return "" if value.strip() in NO_VALUE else value
    if isinstance(value, bool | int | float):
        return str(value)
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return "\n".join(value)
    if isinstance(value, dict) or (isinstance(value, list) and len(value) == 1):
        said = messages_in([value] if isinstance(value, dict) else value)
        if [role for role, _ in said] == [ASSISTANT]:
            return said[0][1]
    raise Skip("columns", f"{path} holds {type(value).__name__}, not text")
