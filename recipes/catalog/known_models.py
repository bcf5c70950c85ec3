"""The chat models that LLaMA-Factory knows beyond our set, as a table, so that looking one up imports nothing heavy.

`python -m recipes keys` makes it anew (recipes/llamafactory/models_table.py); a test compares.
"""

from functools import cache
from pathlib import Path
from typing import Any

from common.files import read_json

TABLE = Path(__file__).parents[1] / "llamafactory" / "llamafactory_models.json"


@cache
def known_models() -> dict[str, dict[str, Any]]:
    """Return hub id, in lower case -> its template in LLaMA-Factory, its id on ModelScope, whether it thinks."""
    return read_json(TABLE)
