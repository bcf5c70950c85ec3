"""Build the judge's prompt from Jinja templates, which the user can replace by a folder of the same names.

What contestants wrote is kept from passing for the judge's words or for the prompt's own structure. The stored answers
stay as they are; only the copy that is sent to the judge is changed, and how often is logged.
"""

import hashlib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from common.errors import UserError
from common.files import sha256, sha256_of
from common.llm.prices import estimate_tokens
from common.templates import environment
from common.yaml_files import read_yaml
from eval.judging.labels import CLAIM, CONTROL, FENCE, HIDDEN, LABELS, fold, origins

OWN = Path(__file__).parents[1] / "prompts"
_FIELDS = {"analysis": {"type": "string"}, "verdict": {"type": "string", "enum": list(LABELS.values())}}
_REPLY = {"type": "object", "properties": _FIELDS, "required": list(_FIELDS), "additionalProperties": False}
SCHEMA = {"type": "json_schema", "json_schema": {"name": "verdict", "strict": True, "schema": _REPLY}}
WORDS = read_yaml(Path(__file__).with_name("words.yaml"))
"""What stands in a judge's copy in the place of something else, and what a canary is told: in each language."""
LONGEST = 24_000  # tokens of one answer that a judge is shown; two of them fit into a context of 64,000


@dataclass(frozen=True)
class Style:
    """How a judge is asked: its language, what of the reference it is shown, for JSON or for a last line."""

    language: str = "en"
    guided: bool = False
    structured: bool = False
    checklist: bool = False
    folder: Path = OWN


@lru_cache(maxsize=4096)  # made once for the estimate and once for the call
def pair_prompt(
    question: str, first: str, second: str, reference: str, style: Style, *, checklist: tuple[str, ...] = ()
) -> tuple[str, int]:
    """Return the prompt for one pair in one order, and how many things in the answers were made harmless.

    The checklist's order changes with the pair, and is the same for both orders of its answers.
    """
    points = sorted(
        checklist if style.checklist else (), key=lambda point: sha256_of([point, *sorted((first, second))])
    )
    (asked, _), (one, in_first), (other, in_second), (expert, _) = (
        defuse(shorten(text, style.language), style.language)
        for text in (question, first, second, reference if style.guided else "")
    )
    text = _filled(
        style, "pair", question=asked, first=one, second=other, reference=expert,
        checklist=[defuse(point, style.language)[0] for point in points],
        fence=mark(question, first, second, reference, *points), labels=LABELS, structured=style.structured,
    )  # fmt: skip
    return text, in_first + in_second


@lru_cache
def version(style: Style) -> str:
    """Return which template a judge is asked by: its name and the beginning of its text's SHA-256."""
    template = _template(style, "pair")
    return f"{template.name} {sha256(Path(template.filename))[:12]}"


def again_prompt(style: Style) -> str:
    """Return the message to a judge whose reply held no verdict."""
    return _filled(style, "again", labels=LABELS)


def _filled(style: Style, kind: str, **values: Any) -> str:
    from jinja2 import TemplateError

    try:
        return str(_template(style, kind).render(values)).strip()
    except TemplateError as error:
        where = style.folder / f"{kind}.{style.language}.jinja"
        raise UserError(f"the judge's prompt {where} is no Jinja template: {error}") from None


def _template(style: Style, kind: str) -> Any:
    if not style.folder.is_dir():
        raise UserError(f"there is no folder of prompts {style.folder}", f"copy eval/{OWN.name}/ and name the copy")
    return environment(style.folder, OWN, trim=False).get_template(f"{kind}.{style.language}.jinja")


def mark(*parts: str) -> str:
    """Return a fence mark made from all that is fenced.

    It differs for every prompt, so an answer cannot hold it: whoever changes the answer changes the mark. And it
    is the same for the same prompt, so that a repeated call is found in the cache.
    """
    return f"=={hashlib.sha256(chr(0).join(['0', *parts]).encode()).hexdigest()[:12]}=="


@lru_cache(maxsize=4096)
def defuse(text: str, language: str) -> tuple[str, int]:
    """Return a copy of an answer without what imitates verdicts, control tokens and marks, and how much that was.

    Hidden characters are taken out too.
    """
    text, count = HIDDEN.subn("", text)
    for pattern, instead in ((CLAIM, "claim"), (CONTROL, "control"), (FENCE, "fence")):
        found = list(pattern.finditer(fold(text)))
        if found:
            at, kept, end = origins(text), list[str](), 0
            for match in found:
                kept += [text[end : at[match.start()]], WORDS[instead][language]]
                end = at[match.end()]
            text = "".join([*kept, text[end:]])
            count += len(found)
    return text, count


def too_long(text: str) -> bool:
    """Tell whether a judge's context cannot hold a text."""
    return len(text) > LONGEST and estimate_tokens(text) > LONGEST


def shorten(text: str, language: str) -> str:
    """Return a copy of an answer that a judge's context can hold, with a mark where it was cut."""
    if not too_long(text):
        return text
    kept = text[: len(text) * LONGEST // estimate_tokens(text)]
    return f"{kept}\n{WORDS['cut'][language].format(n=len(text) - len(kept))}"
