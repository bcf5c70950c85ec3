"""Why a generated item is of no use, looked at alone: length, banned words, refusals. Pure.

What a text model cannot do (draw, play, remind) is told by patterns, not by single words: in law and medicine people
file claims, draw up contracts and ask what an image shows.
"""

import functools
import re
from collections.abc import Iterable
from pathlib import Path

import yaml

from common.errors import UserError
from converters.generate.novelty import tokens
from converters.generate.read_items import Item
from converters.text.language import UNSPACED

BANNED = Path(__file__).with_name("banned.yaml")
FEWEST = 4
"""Fewer words than this, or characters in Chinese, are no instruction (stanford_alpaca's bound)."""
MOST = {"spaced": 150, "unspaced": 300}

Patterns = dict[str, re.Pattern[str]]


def problem(item: Item, language: str, banned: Patterns) -> tuple[str, str] | None:
    """Return (step, reason) of the first filter that an item does not pass, None when it passes all."""
    count = len(tokens(item.instruction))
    unit, most = ("characters", MOST["unspaced"]) if language in UNSPACED else ("words", MOST["spaced"])
    if count < FEWEST:
        return "length", f"instruction of {count} {unit}, fewer than {FEWEST}"
    if count > most:
        return "length", f"instruction of {count} {unit}, more than {most}"
    for part, text in (("asked", f"{item.instruction}\n{item.input}"), ("answered", item.output)):
        if found := banned[part].search(text):
            return "banned", f"{found[0]!r} in what is {part}"
    return None


def load_banned(path: Path = BANNED) -> Patterns:
    """Return the patterns of what must not be asked and answered; UserError for what is no such file."""
    try:
        return _compiled(path, path.stat().st_mtime_ns)
    except (OSError, yaml.YAMLError, re.error, KeyError, TypeError, ValueError) as error:
        raise UserError(
            f"the banned words in {path} cannot be used: {error}",
            f"lists of patterns under `asked` and `answered`, as in {BANNED.name}",
        ) from None


@functools.cache
def _compiled(path: Path, _changed: int) -> Patterns:
    lists = yaml.safe_load(path.read_text(encoding="utf-8"))
    return {part: _any_of(lists[part]) for part in ("asked", "answered")}


def _any_of(patterns: Iterable[str]) -> re.Pattern[str]:
    return re.compile("|".join(f"(?:{pattern})" for pattern in patterns), re.IGNORECASE)
