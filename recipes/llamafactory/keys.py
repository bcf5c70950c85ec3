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
from common.overrides import split_settings

TABLE = Path(__file__).with_name("llamafactory_keys.json")

Key = dict[str, Any]
"""{"type": bool | int | float | str | list | dict | any, "choices": [...] (may be absent), "optional": bool}"""

OWNED = {
    "model_name_or_path": "MODEL=", "dataset": "TASK=", "stage": "METHOD=", "finetuning_type": "METHOD=",
    "output_dir": "VARIANT=", "do_train": "the command",
}  # fmt: skip
"""Keys that a word of the command decides, and with them files and later steps: SET must not say otherwise."""
ABOVE_ZERO = (
    "cutoff_len", "per_device_train_batch_size", "per_device_eval_batch_size", "gradient_accumulation_steps",
    "learning_rate", "num_train_epochs", "lora_rank", "lora_alpha", "preprocessing_num_workers", "logging_steps",
    "save_steps", "eval_steps",
)  # fmt: skip
SHARES = ("lora_dropout", "warmup_ratio")


@cache
def known_keys() -> dict[str, Key]:
    """Return the table: key -> type."""
    return read_json(TABLE)["keys"]


@cache
def known_templates() -> tuple[str, ...]:
    """Return the names of LLaMA-Factory's chat templates."""
    return tuple(read_json(TABLE)["templates"])


def read_settings(text: str) -> dict[str, Any]:
    """Read what a user typed as SET; all that is wrong is reported at once, words that are no key=value too."""
    settings, malformed = split_settings(text)
    return check_settings(settings, problems=[f"{word!r} is not key=value" for word in malformed])


def check_settings(settings: dict[str, Any], what: str = "SET", problems: list[str] | None = None) -> dict[str, Any]:
    """Return `settings` with values brought to their types; all that is wrong is reported at once."""
    checked, wrong = sorted_out(settings, what)
    if found := [*(problems or []), *wrong]:
        raise UserError(
            f"{what} holds what cannot be:\n  - " + "\n  - ".join(found),
            'SET="key=value key=value"; `python -m recipes keys --list` shows every key with its type',
        )
    return checked


def sorted_out(settings: dict[str, Any], what: str = "SET") -> tuple[dict[str, Any], list[str]]:
    """Return those settings that can be, with values brought to their types, and what is wrong with the others."""
    problems, checked = list[str](), dict[str, Any]()
    for key, value in settings.items():
        entry = known_keys().get(key)
        if entry is None:
            problems.append(f"{key}: LLaMA-Factory has no such key; {nearest(key, known_keys())}".rstrip("; "))
        elif what == "SET" and key in OWNED:
            problems.append(f"{key}: {OWNED[key]} decides it, not SET")
        else:
            try:
                checked[key] = _convert(value, entry)
                _check_range(key, checked[key])
            except ValueError as error:
                problems.append(f"{key}={value!r}: {error}")
    if what == "SET" and checked.get("bf16") and checked.get("fp16"):
        problems.append("bf16 and fp16: one of them at most can be true")
    return checked, problems


def _check_range(key: str, value: Any) -> None:
    if value is None:
        return
    if key in ABOVE_ZERO and value <= 0:
        raise ValueError("must be above 0")
    if key in SHARES and not 0 <= value <= 1:
        raise ValueError("must be from 0 to 1")


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
