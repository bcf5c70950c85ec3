"""Makes the table of recipes/catalog/known_models.py from the installed LLaMA-Factory (imports it, and torch)."""

from pathlib import Path
from typing import Any

from common.files import write_json
from recipes.catalog.known_models import TABLE


def write_table() -> Path:
    """Make the table anew."""
    write_json(TABLE, read_installed())
    return TABLE


def read_installed() -> dict[str, dict[str, Any]]:
    """Return the table as the installed LLaMA-Factory has it; base models, which have no template, are left out."""
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
