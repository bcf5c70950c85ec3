"""`python -m tests.recipes.llamafactory.tables`: LLaMA-Factory's keys, templates and models, from the installed one."""

import dataclasses
import enum
import types
import typing
from importlib.metadata import version
from typing import Any

from common.files import write_json
from recipes.catalog.unknown_model import TABLE as MODELS
from recipes.llamafactory.keys import TABLE as KEYS
from recipes.llamafactory.keys import Key


def installed_models() -> dict[str, dict[str, Any]]:
    """Return hub id -> template, ModelScope id, whether it thinks; base models, without a template, are left out."""
    from llamafactory.data.template import TEMPLATES, ReasoningTemplate
    from llamafactory.extras.constants import DEFAULT_TEMPLATE, SUPPORTED_MODELS

    found = {}
    for name, sources in SUPPORTED_MODELS.items():
        where = {source.value: place for source, place in sources.items()}
        template = DEFAULT_TEMPLATE.get(name)
        if template and where.get("hf"):
            thinks = {"thinks": True} if isinstance(TEMPLATES[template], ReasoningTemplate) else {}
            found[where["hf"].lower()] = {"template": template, "modelscope": where.get("ms", ""), **thinks}
    return dict(sorted(found.items()))


def installed_keys() -> dict[str, Any]:
    """Read LLaMA-Factory's own argument classes."""
    from llamafactory import hparams
    from llamafactory.data.template import TEMPLATES

    keys: dict[str, Key] = {}
    for kind in ("Model", "Data", "Training", "Finetuning", "Generating"):
        arguments = getattr(hparams, f"{kind}Arguments")
        hints = typing.get_type_hints(arguments)
        keys |= {item.name: entry_of(hints[item.name]) for item in dataclasses.fields(arguments) if item.init}
    made_from = {name: version(name) for name in ("llamafactory", "transformers")}
    return {"made_from": made_from, "keys": dict(sorted(keys.items())), "templates": sorted(TEMPLATES)}


def entry_of(hint: Any) -> Key:
    alternatives = typing.get_args(hint) if typing.get_origin(hint) in (typing.Union, types.UnionType) else (hint,)
    named = [item for item in alternatives if item is not type(None)]
    entry: Key = {"type": "any", "optional": len(named) < len(alternatives)}
    others = [item for item in named if item is not str]
    if len(named) > len(others) and others and all(isinstance(x, type) and issubclass(x, enum.Enum) for x in others):
        named = others  # an enum that may be given by its value
    if len(named) != 1:
        return entry
    kind = named[0]
    if typing.get_origin(kind) is typing.Literal:
        return {**entry, "type": "str", "choices": [str(choice) for choice in typing.get_args(kind)]}
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        return {**entry, "type": "str", "choices": [str(item.value) for item in kind]}
    return {**entry, "type": kind.__name__} if kind in (bool, int, float, str) else entry


if __name__ == "__main__":
    write_json(KEYS, installed_keys())
    write_json(MODELS, installed_models())
