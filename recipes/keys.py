"""Which keys LLaMA-Factory takes and of what type, kept as a table so that checking needs no torch.

`python -m recipes keys` makes `llamafactory_keys.json` anew from the installed version; a test compares them.
"""

import dataclasses
import enum
import types
import typing
from functools import cache
from pathlib import Path
from typing import Any

from common.errors import UserError, nearest
from common.files import read_json, write_json

TABLE = Path(__file__).with_name("llamafactory_keys.json")

Key = dict[str, Any]
"""{"type": bool | int | float | str | list | dict | any, "choices": [...] (may be absent), "optional": bool}"""


@cache
def known_keys() -> dict[str, Key]:
    """Return the table: key -> type."""
    return read_json(TABLE)["keys"]


@cache
def known_templates() -> tuple[str, ...]:
    """Return the names of LLaMA-Factory's chat templates."""
    return tuple(read_json(TABLE)["templates"])


def check_settings(settings: dict[str, Any], what: str = "SET") -> dict[str, Any]:
    """Return `settings` with values brought to their types; all that is wrong is reported at once."""
    problems, checked = [], {}
    for key, value in settings.items():
        entry = known_keys().get(key)
        if entry is None:
            problems.append(f"{key}: LLaMA-Factory has no such key; {nearest(key, known_keys())}".rstrip("; "))
            continue
        try:
            checked[key] = _convert(value, entry)
        except ValueError as error:
            problems.append(f"{key}={value!r}: {error}")
    if problems:
        raise UserError(
            f"{what} holds what LLaMA-Factory does not take:\n  - " + "\n  - ".join(problems),
            "`python -m recipes keys --list` shows every key with its type",
        )
    return checked


def _convert(value: Any, entry: Key) -> Any:
    if value is None:
        if entry["optional"]:
            return None
        raise ValueError(f"must be {_described(entry)}")
    kind = entry["type"]
    if value is False and "no" in entry.get("choices", []):
        return "no"  # what YAML makes of an unquoted no
    fits = {
        "bool": isinstance(value, bool),
        "int": isinstance(value, int) and not isinstance(value, bool),
        "float": isinstance(value, int | float) and not isinstance(value, bool),
        "str": isinstance(value, str | int | float) and not isinstance(value, bool),
    }.get(kind, True)
    if kind == "int" and isinstance(value, float) and value.is_integer():
        fits, value = True, int(value)
    choices = entry.get("choices")
    if not fits or (choices and str(value) not in choices):
        raise ValueError(f"must be {_described(entry)}")
    return str(value) if kind == "str" else value


def _described(entry: Key) -> str:
    names = {"bool": "true or false", "int": "a whole number", "float": "a number", "str": "text"}
    choices = ", ".join(entry.get("choices", []))
    text = f"one of {choices}" if choices else names.get(entry["type"], str(entry["type"]))
    return f"{text} or null" if entry["optional"] else text


def write_table() -> Path:
    """Make the table anew from the installed LLaMA-Factory (imports it, and torch)."""
    write_json(TABLE, read_installed())
    return TABLE


def read_installed() -> dict[str, Any]:
    """Read LLaMA-Factory's own argument classes."""
    from importlib.metadata import version

    from llamafactory.data.template import TEMPLATES
    from llamafactory.hparams import (
        DataArguments,
        FinetuningArguments,
        GeneratingArguments,
        ModelArguments,
        TrainingArguments,
    )

    keys: dict[str, Key] = {}
    for arguments in (
        ModelArguments,
        DataArguments,
        TrainingArguments,
        FinetuningArguments,
        GeneratingArguments,
    ):
        hints = typing.get_type_hints(arguments)
        keys |= {item.name: _entry(hints[item.name]) for item in dataclasses.fields(arguments) if item.init}
    made_from = {name: version(name) for name in ("llamafactory", "transformers")}
    return {"made_from": made_from, "keys": dict(sorted(keys.items())), "templates": sorted(TEMPLATES)}


def _entry(hint: Any) -> Key:
    alternatives = typing.get_args(hint) if typing.get_origin(hint) in (typing.Union, types.UnionType) else (hint,)
    named = [item for item in alternatives if item is not type(None)]
    entry: Key = {"type": "any", "optional": len(named) < len(alternatives)}
    if (
        len(named) > 1
        and str in named
        and all(isinstance(x, type) and issubclass(x, enum.Enum) for x in named if x is not str)
    ):
        named = [item for item in named if item is not str]
    if len(named) != 1:
        return entry
    kind = named[0]
    if typing.get_origin(kind) is typing.Literal:
        return {**entry, "type": "str", "choices": [str(choice) for choice in typing.get_args(kind)]}
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        return {**entry, "type": "str", "choices": [str(item.value) for item in kind]}
    if kind in (bool, int, float, str):
        return {**entry, "type": kind.__name__}
    return entry
