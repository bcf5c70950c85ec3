"""Everything about a conversion that a user can set: general settings, and a task's own options beside them."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from common.errors import UserError, nearest
from converters.task import Task

FORMATS = ("alpaca", "sharegpt")


@dataclass(frozen=True)
class Settings:
    """What SET can set for every task. Lengths are characters, 0 meaning no bound; shares are between 0 and 1."""

    format: str = "alpaca"
    """alpaca or sharegpt (FORMAT=)."""
    system: bool | str = False
    """true writes the task's system prompt into every row, a text writes that text."""
    clean: bool = True
    """Mend encodings, white space and invisible characters."""
    html: bool = True
    """Undo HTML entities and simple tags."""
    language: bool = True
    """Drop rows in another language."""
    min_prompt: int = 2
    """Fewest characters of the prompt."""
    max_prompt: int = 0
    """Most characters of the prompt."""
    min_output: int = 1
    """Fewest characters of the answer."""
    max_output: int = 0
    """Most characters of the answer."""
    exact: bool = True
    """Drop rows that say the same as an earlier one, punctuation and case aside."""
    near: float = 0.85
    """Drop rows whose question and answer are at least so similar to an earlier row's (0 keeps them)."""
    answers: int = 0
    """Most answers kept to one question (0 keeps all)."""
    decontaminate: bool = True
    """Drop training rows that hold a judged question, its reference answer, or a test row's question."""
    overlap: float = 0.8
    """The share of a question's n-grams from which a row counts as holding it."""
    questions: str = ""
    """Judged questions to stay clear of; empty means eval/questions/TASK*.jsonl."""
    test: float = -1.0
    """Share of test rows; -1 chooses by the number of rows."""
    val: float = -1.0
    """Share of validation rows; -1 chooses by the number of rows."""
    seed: int = 0
    """Another seed, another split."""
    errors: float = 0.05
    """Share of unreadable rows above which the conversion fails."""
    tokenizer: str = ""
    """A folder, tokenizer.json or hub id: lengths in the card are then given in tokens too."""
    array: bool = False
    """Also write {train,val,test}.json, one JSON array, for programs that cannot read JSON Lines."""

    def as_dict(self) -> dict[str, Any]:
        """Return the settings as a JSON-like dict."""
        return asdict(self)


GENERAL = {field.name: field for field in fields(Settings)}
SHARES = ("near", "overlap", "errors")


def typed(value: Any) -> str:
    """Return a value as a user types it in SET."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def build_settings(task: Task, given: Mapping[str, Any]) -> tuple[Settings, dict[str, Any]]:
    """Return the general settings and the task's options with `given` put over the defaults.

    Raises UserError that lists every unknown key and every wrong value at once.
    """
    known = {**{name: field.default for name, field in GENERAL.items()}, **task.options}
    values = dict(known)
    for whose, wanted in ((f"the settings of task {task.name}", task.defaults), ("SET", given)):
        problems = _put(values, wanted, known) + _wrong_values(values)
        if values["system"] is True and not task.system and not task.has_system:
            problems.append(f"task {task.name} has no system prompt, so system must be a text")
        if problems:
            raise UserError(f"{whose} cannot be used: {'; '.join(problems)}", f"its keys: {', '.join(known)}")
    general = Settings(**{name: _number(values[name], GENERAL[name].default) for name in GENERAL})
    return general, {name: values[name] for name in task.options}


def _put(values: dict[str, Any], wanted: Mapping[str, Any], known: Mapping[str, Any]) -> list[str]:
    """Put what is wanted over the values as far as it can be used, and return what is wrong with the rest."""
    problems = []
    for key, value in wanted.items():
        if key not in known:
            problems.append(" ".join(filter(None, [f"unknown key {key!r}", nearest(key, known)])))
        elif not _fits(value, known[key], key):
            problems.append(f"{key} must be {_kind(known[key], key)}, got {value!r}")
        else:
            values[key] = str(value) if isinstance(known[key], str) else value
    return problems


def _fits(value: Any, default: Any, key: str) -> bool:
    if key == "system":
        return isinstance(value, bool | str)
    if isinstance(default, bool):
        return isinstance(value, bool)
    if isinstance(default, int | float):
        whole = isinstance(default, int) and key in GENERAL
        return isinstance(value, int if whole else int | float) and not isinstance(value, bool)
    return isinstance(value, str | int | float) and not isinstance(value, bool)


def _kind(default: Any, key: str) -> str:
    if key == "system":
        return "true, false or a text"
    names = {bool: "true or false", int: "a whole number", float: "a number", str: "a text"}
    return names[type(default)]


def _number(value: Any, default: Any) -> Any:
    """Return 1 as 1.0 where a number with a fraction is meant, so that equal settings have equal hashes."""
    return float(value) if isinstance(default, float) else value


def _wrong_values(values: Mapping[str, Any]) -> list[str]:
    problems = []
    if values["format"] not in FORMATS:
        problems.append(f"format must be alpaca or sharegpt, got {values['format']!r}")
    problems += [f"{key} must lie between 0 and 1, got {values[key]}" for key in SHARES if not 0 <= values[key] <= 1]
    for key in ("test", "val"):
        if values[key] != -1 and not 0 <= values[key] < 1:
            problems.append(f"{key} must be a share below 1, or -1, got {values[key]}")
    if max(values["test"], 0) + max(values["val"], 0) >= 1:
        problems.append("test and val leave nothing to train on")
    bounds = ("min_prompt", "max_prompt", "min_output", "max_output", "answers")
    problems += [f"{key} must not be negative, got {values[key]}" for key in bounds if values[key] < 0]
    for part in ("prompt", "output"):
        if 0 < values[f"max_{part}"] < values[f"min_{part}"]:
            problems.append(f"max_{part} is smaller than min_{part}")
    return problems
