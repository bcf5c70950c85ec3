"""Rules of a YAML task that keep or drop rows by one column's value: {column: score, at_least: 3}. Pure."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

TESTS = ("at_least", "at_most", "one_of", "none_of", "matches", "not_matches", "min_length", "max_length")


@dataclass(frozen=True)
class Filter:
    """One rule: `test` must hold for the column's value, or the row goes."""

    column: str
    name: str
    wanted: Any
    holds: Callable[[Any], bool]

    def refuses(self, value: Any) -> str:
        """Return why a value does not pass, "" when it does."""
        return "" if self.holds(value) else f"{self.column} is {str(value)[:60]!r}, wanted {self.name} {self.wanted!r}"


def read_filters(rules: list[Any]) -> list[Filter]:
    """Return the rules of a YAML file; ValueError that names everything wrong."""
    problems: list[str] = []
    found: list[Filter] = []
    for rule in rules:
        if not isinstance(rule, dict) or not isinstance(rule.get("column"), str) or len(rule) < 2:
            problems.append(f"a filter needs column and one of {', '.join(TESTS)}, got {rule!r}")
            continue
        for name, wanted in rule.items():
            if name == "column":
                continue
            try:
                found.append(Filter(rule["column"], name, wanted, _test(name, wanted)))
            except ValueError as error:
                problems.append(f"filter on {rule['column']}: {error}")
    if problems:
        raise ValueError("; ".join(problems))
    return found


def _test(name: str, wanted: Any) -> Callable[[Any], bool]:
    if name in ("one_of", "none_of"):
        if not isinstance(wanted, list):
            raise ValueError(f"{name} must be a list, got {wanted!r}")
        texts = {str(item) for item in wanted}
        return (lambda value: str(value) in texts) if name == "one_of" else (lambda value: str(value) not in texts)
    if name in ("matches", "not_matches"):
        try:
            pattern = re.compile(str(wanted))
        except re.error as error:
            raise ValueError(f"{name} is no regular expression: {error}") from None
        return lambda value: bool(pattern.search(str(value or ""))) == (name == "matches")
    if name not in TESTS:
        raise ValueError(f"unknown test {name!r}: {', '.join(TESTS)}")
    if isinstance(wanted, bool) or not isinstance(wanted, int | float):
        raise ValueError(f"{name} must be a number, got {wanted!r}")
    if name == "min_length":
        return lambda value: len(str(value or "")) >= wanted
    if name == "max_length":
        return lambda value: len(str(value or "")) <= wanted
    return lambda value: (
        (number := _number(value)) is not None and (number >= wanted if name == "at_least" else number <= wanted)
    )


def _number(value: Any) -> float | None:
    try:
        return float(value)
    except (TypeError, ValueError):
        return None
