"""Build the judge's prompt from Jinja templates, which the user can replace by a folder of the same names."""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from common.errors import UserError
from common.files import sha256
from eval.judging.fence import defuse, mark
from eval.judging.read_verdict import LABELS

OWN = Path(__file__).parents[1] / "prompts"
SCHEMA = {
    "type": "json_schema",
    "json_schema": {
        "name": "verdict",
        "strict": True,
        "schema": {
            "type": "object",
            "properties": {
                "analysis": {"type": "string"},
                "verdict": {"type": "string", "enum": list(LABELS.values())},
            },
            "required": ["analysis", "verdict"],
            "additionalProperties": False,
        },
    },
}


@dataclass(frozen=True)
class Style:
    """How a judge is asked: in which language, with the reference answer or not, for JSON or for a last line."""

    language: str = "en"
    guided: bool = False
    structured: bool = False
    folder: Path = OWN


@lru_cache(maxsize=4096)  # made once for the estimate and once for the call
def pair_prompt(question: str, first: str, second: str, reference: str, style: Style) -> tuple[str, int]:
    """Return the prompt for one pair in one order, and how many things in the answers were made harmless."""
    safe_question, _ = defuse(question, style.language)
    safe_first, count_first = defuse(first, style.language)
    safe_second, count_second = defuse(second, style.language)
    text = _render(
        style.folder,
        f"pair.{style.language}.jinja",
        question=safe_question,
        first=safe_first,
        second=safe_second,
        reference=reference if style.guided else "",
        fence=mark(question, first, second, reference),
        labels=LABELS,
        structured=style.structured,
    )
    return text.strip(), count_first + count_second


@lru_cache
def version(style: Style) -> str:
    """Return which template a judge is asked by: its name and the beginning of its text's SHA-256."""
    name = f"pair.{style.language}.jinja"
    return f"{name} {sha256(Path(_template(style.folder, name).filename))[:12]}"


def again_prompt(style: Style) -> str:
    """Return what a judge is told whose reply held no verdict."""
    return _render(style.folder, f"again.{style.language}.jinja", labels=LABELS).strip()


def _render(folder: Path, name: str, **values: Any) -> str:
    from jinja2 import TemplateError

    try:
        return str(_template(folder, name).render(**values))
    except TemplateError as error:
        raise UserError(f"the judge's prompt {folder / name} is no Jinja template: {error}") from None


@lru_cache
def _template(folder: Path, name: str) -> Any:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    if not folder.is_dir():
        raise UserError(f"there is no folder of prompts {folder}", f"copy eval/{OWN.name}/ and name the copy")
    places = [str(place) for place in (folder, OWN)]
    environment = Environment(
        loader=FileSystemLoader(places), undefined=StrictUndefined, autoescape=False, trim_blocks=False
    )
    return environment.get_template(name)
