"""Which keys LLaMA-Factory takes and of what type, kept as a table so that checking needs no torch.

`python -m tests.recipes.llamafactory.tables` makes it anew from the installed version; a test compares them.
"""

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, create_model

from common.files import read_json
from common.overrides import unchecked
from common.schema import Schema, Share, Text, check, invalid
from common.yaml_files import read_yaml

TABLE = Path(__file__).with_name("llamafactory_keys.json")

Key = dict[str, Any]
"""{"type": bool | int | float | str | list | dict | any, "choices": [...] (may be absent), "optional": bool}"""

HINT = 'SET="key=value key=value"; `python -m recipes keys` shows every key with its type'


@cache
def groups() -> dict[str, Any]:
    """Return the groups of keys by name; key_groups.yaml says what each is for."""
    return dict(read_yaml(Path(__file__).with_name("key_groups.yaml")))


@cache
def known_keys() -> dict[str, Key]:
    """Return the table: key -> type."""
    return read_json(TABLE)["keys"]


@cache
def known_templates() -> tuple[str, ...]:
    """Return the names of LLaMA-Factory's chat templates."""
    return tuple(read_json(TABLE)["templates"])


def read_settings(text: str) -> dict[str, Any]:
    """Read what a user typed as SET; everything that is wrong is reported at once, words that are no key=value too."""
    return check_settings(unchecked(text))


def check_settings(settings: Mapping[str, Any], what: str = "SET") -> dict[str, Any]:
    """Return `settings` with values brought to their types; UserError with everything that is wrong in them."""
    checked, problems = sorted_out(settings, what)
    if problems:
        raise invalid(what, problems, HINT)
    return checked


def sorted_out(settings: Mapping[str, Any], what: str = "SET") -> tuple[dict[str, Any], list[str]]:
    """Return those settings that are right, with values brought to their types, and what is wrong with the others."""
    checked, problems = dict[str, Any](), list[str]()
    for key, value in settings.items():
        if what == "SET" and key in groups()["owned"]:
            problems.append(f"{key}: {groups()['owned'][key]} decides it, not SET")
            continue
        made, wrong = check(_schema(key), {key: value}, known_keys())
        problems += wrong
        if made:
            checked[key] = getattr(made, f"{key}_")
    if what == "SET" and checked.get("bf16") and checked.get("fp16"):
        problems.append("bf16 and fp16: only one of them can be true")
    return checked, problems


@cache
def _schema(key: str) -> type[Schema]:
    """Return the model of one key: one of all 400 would take longer to make than a recipe to render."""
    if key not in known_keys():
        return Schema
    fields: dict[str, Any] = {f"{key}_": (_type(key, known_keys()[key]), Field(alias=key))}
    return create_model("Settings", __base__=Schema, **fields)


def _type(key: str, entry: Key) -> Any:
    kind: Any = {"bool": bool, "int": Whole, "float": float, "str": Text}.get(entry["type"], Any)
    if choices := entry.get("choices"):
        kind = Annotated[Literal[tuple(choices)], BeforeValidator(lambda value: _choice(value, choices))]
    if key in groups()["above zero"]:
        kind = Annotated[kind, Field(gt=0)]
    if key in groups()["shares"]:
        kind = Share
    return kind | None if entry["optional"] and kind is not Any else kind


def _whole(value: Any) -> Any:
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _choice(value: Any, choices: Sequence[str]) -> Any:
    if value is False and "no" in choices:
        return "no"  # what YAML makes of an unquoted no
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value


Whole = Annotated[int, BeforeValidator(_whole)]
