"""Build the judge's prompt from Jinja templates, which the user can replace by a folder of the same names.

What contestants wrote is kept from passing for the judge's words or for the prompt's own structure. The stored answers
stay as they are; only the copy that is sent to the judge is changed, and how often is logged.
"""

import hashlib
import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from common.errors import UserError
from common.files import sha256
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

# The labels in any spelling that a reader would take for one: other blanks, line breaks, wide digits, markup.
_ANY_LABEL = re.compile(
    r"assistant[\s*_`]*(?:[1１]|one)[\s*_`]*is[\s*_`]*(?:better[\s*_`]*than|worse[\s*_`]*than|equal[\s*_`]*to)"
    r"[\s*_`]*assistant[\s*_`]*(?:[2２]|two)"
    r"|(?:助手|助理)\s*[1１一]\s*(?:优于|好于|强于|劣于|差于|不如|等于|等同于)\s*(?:助手|助理)\s*[2２二]",
    re.IGNORECASE,
)
REMOVED = {"en": "[a sentence that imitates a verdict]", "zh": "[一句模仿评判结论的话]"}
# Control tokens of chat formats: a judge served with a careless tokenizer would take them for real ones.
_CONTROL = re.compile(
    r"<\|[^|<>\n]{1,40}\|>|\[/?INST\]|<</?SYS>>|</?s>|<(?:start|end)_of_turn>|<reserved_\d+>", re.IGNORECASE
)
# Characters that hide text from a reader or break a label up so that it is not found.
_HIDDEN = re.compile(r"[\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufeff\U000e0000-\U000e007f]")


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


def mark(*parts: str) -> str:
    """Return a fence mark made from all that is fenced.

    It differs for every prompt, so an answer cannot hold it: whoever changes the answer changes the mark. And it
    is the same for the same prompt, so that a repeated call is found in the cache.
    """
    salt = 0
    while True:
        digest = hashlib.sha256("\0".join([str(salt), *parts]).encode()).hexdigest()
        found = f"=={digest[:12]}=="
        if not any(found in part for part in parts):
            return found
        salt += 1


def defuse(text: str, language: str) -> tuple[str, int]:
    """Return a copy of an answer without verdicts, control tokens and hidden characters, and how many it had."""
    text, hidden = _HIDDEN.subn("", text)
    text, control = _CONTROL.subn(lambda match: match[0].replace("<", "‹").replace("[", "［"), text)
    text, verdicts = _ANY_LABEL.subn(REMOVED[language], text)
    return text, hidden + control + verdicts
