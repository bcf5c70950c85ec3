"""What an answer must be like, each a small named check that a prompt names with what it wants.

A count is wanted as a number, or as [least, most] with null for no bound. A Chinese character is a word.
"""

import json
import re
from collections.abc import Callable
from typing import Any

from eval.records.questions import HAN
from eval.statistics.reference_scores import words as words_of

LETTER = re.compile(r"[^\W\d_]")
LATIN = re.compile(r"[A-Za-zÀ-ɏ]")
COMMON = {  # words that nearly every sentence of a language holds
    "en": "the a an of to and in is are it that for on with as at by i you we they this be or not",
    "fr": "le la les un une de des du et à en est sont il elle je vous nous que qui pour dans sur avec ce pas",
    "es": "el la los las un una de del y a en es son que por para con no se lo su yo me mi como muy",
    "de": "der die das ein eine und in ist sind es ich du wir sie nicht mit zu auf für von dem den im ein",
}
SENTENCE_END = re.compile(r"[.!?]+[\"'”’)]*(?=\s|$)|[。！？]+")
BULLET, NUMBER = re.compile(r"[-*•]\s+\S"), re.compile(r"(\d+)[.)、．]\s*\S")


def passes(answer: str, wanted: dict[str, Any]) -> dict[str, bool]:
    """Return check -> whether an answer passes it, of all that a prompt wants; an empty answer passes none."""
    text = answer.strip()
    return {
        name: bool(text) and (_within(COUNTS[name](text), value) if name in COUNTS else CHECKS[name](text, value))
        for name, value in wanted.items()
    }


def _within(count: int, wanted: Any) -> bool:
    least, most = wanted if isinstance(wanted, list) else (wanted, wanted)
    return (least is None or count >= least) and (most is None or count <= most)


def _lines(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if line.strip()]


def _bare(text: str) -> str:
    return text.strip().strip("\"'“”‘’「」.。!！?？,，;；:：*").lower()


def _json(text: str) -> Any:
    """Return what JSON says, alone or in a code block; None where it is none."""
    inside = re.fullmatch(r"```(?:json)?\s*\n(.*?)\n?```", text, re.S)
    try:
        return json.loads(inside[1] if inside else text)
    except ValueError:
        return None


def _found(word: str, text: str) -> int:
    """Return how often a text holds a word, in any case; a Chinese one also inside others."""
    pattern = re.escape(word.lower())
    return len(re.findall(pattern if HAN.search(word) else rf"(?<!\w){pattern}(?!\w)", text.lower()))


def _numbered(text: str, wanted: Any) -> bool:
    found = [int(match[1]) for line in _lines(text) if (match := NUMBER.match(line))]
    return found == list(range(1, len(found) + 1)) and _within(len(found), wanted)


def _table(text: str, wanted: list[int]) -> bool:
    rows = [line.strip("|").split("|") for line in _lines(text) if line.startswith("|")]
    rule = len(rows) > 1 and all(re.fullmatch(r"\s*:?-+:?\s*", cell) for cell in rows[1])
    return rule and [len(rows) - 2, len(rows[0])] == wanted and len({len(row) for row in rows}) == 1


def _language(text: str, wanted: str) -> bool:
    """Tell a language: zh by its characters, the others by their commonest words."""
    han, latin = len(HAN.findall(text)), len(LATIN.findall(text))
    if wanted == "zh":
        return han > latin
    said = re.findall(r"[^\W\d_]+", text.lower())
    counts = {name: sum(word in common.split() for word in said) for name, common in COMMON.items()}
    return latin > han and counts[wanted] > 0 and counts[wanted] == max(counts.values())


COUNTS: dict[str, Callable[[str], int]] = {
    "words": lambda text: len(words_of(text)),
    "characters": lambda text: len(HAN.findall(text)),  # Chinese ones
    "sentences": lambda text: sum(bool(LETTER.search(part)) for part in SENTENCE_END.split(text)),
    "lines": lambda text: len(_lines(text)),
    "bullets": lambda text: sum(bool(BULLET.match(line)) for line in _lines(text)),
    "paragraphs": lambda text: sum(bool(part.strip()) for part in re.split(r"\n\s*\n", text)),
}
"""What is counted; lines and paragraphs only where they hold anything."""

CHECKS: dict[str, Callable[[str, Any], bool]] = {
    "numbered": _numbered,  # a list numbered from 1 to so many
    "parts": lambda text, wanted: (
        all(part.strip() for part in text.split(wanted["mark"]))  # with a mark between them
        and _within(len(text.split(wanted["mark"])), wanted["count"])
    ),
    "json_keys": lambda text, wanted: isinstance(value := _json(text), dict) and sorted(value) == sorted(wanted),
    "json_list": lambda text, wanted: isinstance(value := _json(text), list) and _within(len(value), wanted),
    "table": _table,  # Markdown's: [rows below its header, columns]
    "language": _language,
    "script": lambda text, wanted: (2 * len(HAN.findall(text)) > len(LATIN.findall(text))) == (wanted == "zh"),
    "includes": lambda text, wanted: all(_found(word, text) for word in wanted),
    "excludes": lambda text, wanted: not any(_found(word, text) for word in wanted),
    "times": lambda text, wanted: all(_within(_found(word, text), count) for word, count in wanted.items()),
    "without": lambda text, wanted: not set(wanted.lower()) & set(text.lower()),  # these characters, in either case
    "starts": str.startswith,
    "ends": str.endswith,
    "case": lambda text, wanted: bool(LATIN.search(text)) and text == getattr(text, wanted)(),  # upper or lower
    "one_of": lambda text, wanted: _bare(text) in map(_bare, wanted),  # and nothing more
    "matches": lambda text, wanted: bool(re.fullmatch(wanted, text)),  # all of it, a regular expression
    "each_line": lambda text, wanted: all(re.fullmatch(wanted, line) for line in _lines(text)),
    "sorted": lambda text, wanted: len(lines := _lines(text.lower())) > 1 and (lines == sorted(lines)) == wanted,
    "acrostic": lambda text, wanted: "".join(line[0] for line in _lines(text)).lower() == wanted.lower(),
    "code": lambda text, wanted: (  # one block of this language and nothing behind it
        re.findall(r"^```(\w*)", text, re.M) == [wanted, ""] and text.endswith("\n```")
    ),
}
"""What an answer must be or hold, and what the check wants to know."""
