"""Which language a text is in, as far as dropping the wrong ones needs: by script, then by function words."""

import functools
import re
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy

from common.yaml_files import read_yaml

WINDOW = 1_000
"""Characters looked at: a row's language shows in its beginning."""
FEWEST_LETTERS = 20
"""Shorter texts (a number, a formula, `D`) are in no language."""
OWN_SHARE = 0.3
"""Chinese legal and medical texts hold Latin names and units; a third of the letters is enough to be Chinese."""
LATIN_SHARE = 0.5
TABLES = read_yaml(Path(__file__).with_name("languages.yaml"))
SCRIPTS, OF_LANGUAGE = TABLES["scripts"], TABLES["written_in"]
_WORDS = {language: frozenset(words.split()) for language, words in TABLES["function_words"].items()}
NAMES = ("", *SCRIPTS, "other")
TABLE_SIZE = 0x33000
WORD = re.compile(r"[a-z\u00c0-\u024f]+")
FEWEST_WORDS = 20
UNSPACED = ("zh", "ja", "th")
"""Languages written without spaces: their n-grams are shorter."""


@functools.cache
def _scripts() -> Any:
    """Return for each code point the number of its script in NAMES; 0 for what is no letter."""
    table = numpy.zeros(TABLE_SIZE, numpy.uint8)
    for point in range(0x10000):
        if chr(point).isalpha():
            table[point] = len(NAMES) - 1
    for number, ranges in enumerate(SCRIPTS.values(), 1):
        for first, last in ranges:
            table[first : last + 1] = number
    return table


def sample(prompt: str, output: str) -> str:
    """Return the part of a row by which its language is told."""
    return f"{output[: WINDOW // 2]}\n{prompt[: WINDOW // 2]}"


@functools.lru_cache(4_000)  # of a chunk's rows it is asked twice
def shares(text: str) -> dict[str, float]:
    """Return the share of each script among the letters of a text; empty when there are too few letters."""
    points = numpy.frombuffer(text.encode("utf-32-le", "surrogatepass"), numpy.uint32)
    counts = numpy.bincount(_scripts()[numpy.minimum(points, TABLE_SIZE - 1)], minlength=len(NAMES)).tolist()
    letters = sum(counts[1:])
    if letters < FEWEST_LETTERS:
        return {}
    return {NAMES[number]: count / letters for number, count in enumerate(counts) if count and number}


def latin_language(text: str) -> str:
    """Return the one of the known Latin-script languages whose function words are most frequent; "" when unclear."""
    words = WORD.findall(text.lower())
    if len(words) < FEWEST_WORDS:
        return ""
    counts = Counter({name: sum(map(_WORDS[name].__contains__, words)) for name in _WORDS})
    (first, most), (_, second) = counts.most_common(2)
    return first if most >= 0.05 * len(words) and most > second else ""


def label(text: str, found: Mapping[str, float]) -> str:
    """Return "zh", "en", "cyrillic" ... for the card's language mix; `found` are the shares of its scripts.

    "none" stands for too little text, "mixed" for no main script.
    """
    if not found:
        return "none"
    if found.get("kana", 0) > 0.1:
        return "ja"
    script = max(found, key=lambda name: found[name])
    if found[script] < LATIN_SHARE:
        return "mixed"
    return {"han": "zh", "hangul": "ko", "latin": latin_language(text) or "latin"}.get(script, script)


def wrong_language(text: str, found: Mapping[str, float], language: str) -> str:
    """Return why a text is not in `language`, or "" when it is, may be, or cannot be told."""
    if not found:
        return ""
    scripts = OF_LANGUAGE.get(language, ("latin",))
    share = sum(found.get(script, 0) for script in scripts)
    if share < (OWN_SHARE if language in OF_LANGUAGE else LATIN_SHARE):
        return f"{share:.0%} of the letters are {' or '.join(scripts)}"
    if language == "zh" and found.get("kana", 0) > 0.1:
        return "Japanese kana among the letters"
    if language in _WORDS and (seen := latin_language(text)) and seen != language:
        return f"the words look like {seen!r}"
    return ""
