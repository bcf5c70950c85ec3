"""The chat models that LLaMA-Factory knows beyond our set, as a table, so that looking one up imports nothing heavy.

`python -m recipes keys` makes it anew (with the table of keys) after another version was pinned; a test compares.
"""

from functools import cache
from pathlib import Path
from typing import Any

from common.files import read_json, write_json

TABLE = Path(__file__).parents[1] / "llamafactory" / "llamafactory_models.json"
WITHOUT_THINKING = {"qwen3": "qwen3_nothink", "deepseekr1": "deepseek3"}
"""A thinking template trains an empty thought before every answer that has none; these are the same without."""


@cache
def known_models() -> dict[str, dict[str, Any]]:
    """Return hub id, in lower case -> its LLaMA-Factory template and its id on ModelScope ("" when it has none)."""
    return read_json(TABLE)


def write_table() -> Path:
    """Make the table anew from the installed LLaMA-Factory (imports it, and torch)."""
    write_json(TABLE, read_installed())
    return TABLE


def read_installed() -> dict[str, dict[str, str]]:
    """Return the table as the installed LLaMA-Factory has it; base models, which have no template, are left out."""
    from llamafactory.extras.constants import DEFAULT_TEMPLATE, SUPPORTED_MODELS

    found = {}
    for name, sources in SUPPORTED_MODELS.items():
        where = {source.value: place for source, place in sources.items()}
        template = DEFAULT_TEMPLATE.get(name)
        if template and where.get("hf"):
            entry = {"template": WITHOUT_THINKING.get(template, template), "modelscope": where.get("ms", "")}
            found[where["hf"].lower()] = entry
    return dict(sorted(found.items()))
