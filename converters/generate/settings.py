"""What SET can set for generating, rewriting and scoring; all of it decides what the rows become."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, TypeVar

from common.errors import UserError, nearest


@dataclass(frozen=True)
class Asking:
    """What all three share."""

    temperature: float = 0.0
    max_tokens: int = 1_024
    """Longest reply."""
    structured: bool = True
    """Ask for JSON by a schema; an endpoint that has none gets the same prompt without it."""

    def sampling(self) -> dict[str, Any]:
        """Return what is sent with each call."""
        return {"temperature": self.temperature, "max_tokens": self.max_tokens}


@dataclass(frozen=True)
class Generating(Asking):
    """What SET can set for self-instruct."""

    temperature: float = 1.0
    max_tokens: int = 4_096
    items: int = 20
    """Tasks asked for by one call."""
    real: int = 3
    """Real rows shown in each call."""
    generated: int = 2
    """Rows generated so far that are shown in each call."""
    pool: int = 175
    """Real rows from which those are drawn; new ones must differ from all of them."""
    words: int = 100
    """Longest input and longest output that is asked for, in words (characters: twice as many)."""
    similarity: float = 0.7
    """ROUGE-L from which a new instruction is too similar to an earlier one."""
    compare: str = "auto"
    """instruction, prompt (instruction and input), or auto: prompt where the real instructions repeat."""
    banned: str = ""
    """A file of banned patterns of your own."""
    at_once: int = 8
    """Calls of one round, which all show the same rows generated so far."""
    patience: int = 10
    """Calls in a row without one new row after which to stop."""
    seed: int = 0
    """Another seed, other examples shown."""


@dataclass(frozen=True)
class Rewriting(Asking):
    """What SET can set for rewriting answers."""

    below: int = 0
    """Rewrite only answers of fewer characters (0: all)."""


@dataclass(frozen=True)
class Scoring(Asking):
    """What SET can set for scoring rows."""

    max_tokens: int = 300


Chosen = TypeVar("Chosen", bound=Asking)


def choose(kind: type[Chosen], given: Mapping[str, Any]) -> Chosen:
    """Return the settings with `given` put over the defaults; UserError lists every mistake at once."""
    known: dict[str, Any] = {field.name: field.default for field in fields(kind)}
    problems: list[str] = []
    values: dict[str, Any] = {}
    for key, value in given.items():
        if key not in known:
            problems.append(" ".join(filter(None, [f"unknown key {key!r}", nearest(key, known)])))
        elif (problem := _wrong(key, value, known[key])) != "":
            problems.append(problem)
        else:
            values[key] = type(known[key])(value)
    if problems:
        shown = ", ".join(f"{key}={value}" for key, value in known.items())
        raise UserError("SET cannot be used: " + "; ".join(problems), f"keys and defaults: {shown}")
    return kind(**values)


def _wrong(key: str, value: Any, default: Any) -> str:
    if isinstance(default, bool):
        return "" if isinstance(value, bool) else f"{key} must be true or false, got {value!r}"
    if isinstance(default, str):
        choices = ("auto", "instruction", "prompt")
        return f"{key} must be one of {choices}, got {value!r}" if key == "compare" and value not in choices else ""
    kinds = int if isinstance(default, int) else int | float
    if isinstance(value, bool) or not isinstance(value, kinds):
        return f"{key} must be a {'whole ' if kinds is int else ''}number, got {value!r}"
    least = 1 if key in ("items", "at_once", "patience", "max_tokens", "words") else 0
    most = {"similarity": 1, "temperature": 2, "items": 100}.get(key, float("inf"))
    return "" if least <= value <= most else f"{key} must lie between {least} and {most}, got {value!r}"


def as_dict(settings: Asking) -> dict[str, Any]:
    """Return settings as a JSON-like dict."""
    return asdict(settings)
