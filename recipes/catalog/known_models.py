"""The chat models that LLaMA-Factory knows beyond our set, as a table, so that looking one up imports nothing heavy.

`python -m recipes keys` makes it anew (recipes/llamafactory/models_table.py); a test compares.
"""

from functools import cache
from pathlib import Path
from typing import Any

from common.files import read_json

TABLE = Path(__file__).parents[1] / "llamafactory" / "llamafactory_models.json"
WITHOUT_THINKING = {"qwen3": "qwen3_nothink", "deepseekr1": "deepseek3"}
"""A thinking template trains an empty thought before every answer that has none; these are the same without."""


@cache
def known_models() -> dict[str, dict[str, Any]]:
    """Return hub id, in lower case -> its LLaMA-Factory template and its id on ModelScope ("" when it has none)."""
    return read_json(TABLE)
