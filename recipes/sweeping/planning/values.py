"""The values of a sweep's axes as a user writes them, brought to their types; what is wrong is collected. Pure."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from common.errors import UserError, nearest
from common.overrides import parse_settings
from recipes.llamafactory.keys import check_settings, known_keys

WORDS = ("task", "model", "method", "hardware", "gpus")
"""What names a run besides its recipe keys and its data; each may be a list, an axis, or stand in a run of `runs`."""

Settings = dict[str, Any]


@dataclass(frozen=True)
class Value:
    """One value of an axis: what it is called, and what it makes of a run."""

    label: Any
    words: Settings = field(default_factory=dict)
    settings: Settings = field(default_factory=dict)
    data: tuple[str, Settings] | None = None
    """Name and converter settings of a data variant; None where the axis says nothing about the data."""


def settings_of(value: Any, where: str, problems: list[str]) -> Settings:
    """Return recipe keys from a mapping or a SET text, brought to their types."""
    try:
        given = parse_settings(value) if isinstance(value, str) else {str(key): one for key, one in value.items()}
    except UserError as error:
        problems.append(f"{where}: {error.message}")
        return {}
    checked: Settings = {}
    for key, one in given.items():
        checked |= _setting(key, one, where, problems)
    return checked


def _setting(key: str, value: Any, where: str, problems: list[str]) -> Settings:
    if isinstance(value, str):
        value = parse_settings(f"x={value}")["x"] if value and not any(sign in value for sign in " \"'\\") else value
    try:
        return check_settings({key: value})
    except UserError as error:
        problems.append(f"{where}: {error.message.rpartition('  - ')[2]}")
        return {}


def words_of(key: str, value: Any, problems: list[str]) -> list[Any]:
    """Return a word's values: one, a list, or the command line's `a b`."""
    values = (
        value if isinstance(value, list) else value.replace(",", " ").split() if isinstance(value, str) else [value]
    )
    if isinstance(value, str) and key == "model" and Path(value).is_dir():
        values = [value]
    if not values:
        problems.append(f"{key} is an empty list")
    return [_word(key, one, problems) for one in values]


def _word(key: str, value: Any, problems: list[str]) -> Any:
    if key == "gpus":
        if str(value).isdigit() and int(value):
            return int(value)
        problems.append(f"gpus must be a whole number from 1 on, got {value!r}")
        return 1
    if not isinstance(value, str | int) or isinstance(value, bool):
        problems.append(f"{key} must be a name, got {value!r}")
    return str(value)


def axis(key: str, value: Any, problems: list[str]) -> list[Value]:
    """Return the values of an axis: a list, or a mapping of names to settings."""
    if not isinstance(value, list | dict) or not value:
        problems.append(f"compare.{key} must be a list, or a mapping of names to settings; got {value!r}")
        return []
    if key == "data":
        return _data_axis(value, problems)
    if isinstance(value, dict) and key not in WORDS:
        return [
            Value(label, settings=settings_of(one or {}, f"compare.{key}.{label}", problems))
            if isinstance(one, str | dict | None)
            else _not_settings(f"compare.{key}.{label}", one, problems)
            for label, one in value.items()
        ]
    doubled = [one for number, one in enumerate(value) if one in list(value)[:number]]
    problems += [f"compare.{key} holds {one!r} twice" for one in doubled]
    return [found for one in value if (found := _value(key, one, "compare", problems))]


def _data_axis(value: Any, problems: list[str]) -> list[Value]:
    if not isinstance(value, dict):
        problems.append('data must name settings of the converter: {full: "", short: "max_output=600"}')
        return []
    found = []
    for label, one in value.items():
        try:
            settings = parse_settings(one or "") if isinstance(one, str | None) else dict(one)
        except (UserError, TypeError, ValueError) as error:
            problems.append(f"data.{label}: {getattr(error, 'message', '') or f'must be settings, got {one!r}'}")
            continue
        found.append(Value(str(label), data=(str(label) if settings else "", settings)))
    return found


def _not_settings(where: str, value: Any, problems: list[str]) -> Value:
    problems.append(f'{where} must be settings ("key=value ..."), got {value!r}')
    return Value("")


def _value(key: str, value: Any, where: str, problems: list[str]) -> Value | None:
    if key in WORDS:
        word = _word(key, value, problems)
        return Value(word, words={key: word})
    if key not in known_keys():
        known = [*WORDS, "data", *known_keys()]
        problems.append(
            f"{where}: unknown {key!r}, neither a word nor a recipe key; {nearest(key, known)}".rstrip("; ")
        )
        return None
    checked = _setting(key, value, where, problems)
    return Value(checked[key], settings=checked) if checked else None


def run_of(number: int, entry: Any, problems: list[str]) -> dict[str, Value]:
    """Return one run of `runs`: word, recipe key, `data` or `set` -> value."""
    where = f"runs[{number}]"
    if not isinstance(entry, dict):
        problems.append(f"{where} must be a mapping, got {entry!r}")
        return {}
    found: dict[str, Value] = {}
    for key, value in entry.items():
        if key == "set":
            settings = settings_of(value or {}, where, problems)
            found |= {name: Value(one, settings={name: one}) for name, one in settings.items()}
        elif key == "data":
            values = _data_axis(value, problems)
            if len(values) > 1:
                problems.append(f"{where}: data names one variant: {{name: settings}}")
            found |= dict.fromkeys(["data"], *values[:1])
        elif one := _value(str(key), value, where, problems):
            found[str(key)] = one
    return found


def same(one: Any, other: Any) -> bool:
    """Tell whether two values of a setting are the same: 2 and 2.0 are, and so are 8 and "8"."""
    return one == other or str(one) == str(other) or _number(one) == _number(other) is not None


def _number(value: Any) -> float | None:
    try:
        return float(value) if not isinstance(value, bool) else None
    except (TypeError, ValueError):
        return None
