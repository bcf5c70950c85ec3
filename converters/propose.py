"""Looks at some rows and proposes what they are: which column asks, which answers, in what language. Pure."""

import re
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from converters.conversations import turns
from converters.custom_task import value_at
from converters.task import Skip
from converters.text.language import label, shares

ASKS = (
    "instruction", "question", "prompt", "query", "problem", "title", "user", "human", "patient", "ask", "问题", "提问",
    "q",
)  # fmt: skip
ANSWERS = (
    "output", "answer", "response", "completion", "reply", "solution", "target", "chosen", "assistant", "gpt", "doctor",
    "summary", "highlights", "回答", "答案", "a",
)  # fmt: skip
GIVENS = ("input", "context", "passage", "document", "background", "article", "材料")
SYSTEMS = ("system", "system_prompt", "system_message")
MESSAGES = ("conversations", "messages", "conversation", "dialogue", "dialog", "turns")
FACT = re.compile(
    r"(?:^|[^a-z])(?:id|uid|uuid|index|idx|label|category|q?type|source|url|link|language|split)s?$", re.I
)
"""Columns that say something about a row: neither question nor answer, unless the user says so."""


@dataclass
class Proposal:
    """What a set of rows seems to be."""

    columns: dict[str, str] = field(default_factory=dict)
    conversations: str = ""
    language: str = "en"


def propose(rows: list[dict[str, Any]]) -> Proposal:
    """Return the proposal for some rows; a part for which there is no likely column is left out."""
    names = list(dict.fromkeys(str(name) for row in rows for name in row))
    for name in sorted(names, key=lambda name: name.lower() not in MESSAGES):
        if _all_conversations(rows, name):
            return Proposal({}, name, _language(" ".join(str(row.get(name)) for row in rows[:50])))
    sizes = _texts(rows)
    chosen: dict[str, str] = {}
    for part, known in (("instruction", ASKS), ("output", ANSWERS), ("input", GIVENS), ("system", SYSTEMS)):
        found = _by_name([name for name in sizes if name not in chosen.values()], known)
        if found:
            chosen[part] = found
    for part in ("output", "instruction"):  # no telling name: the longest texts, the answers being the longer ones
        free = [
            name for name in sizes if name not in chosen.values() and not FACT.search(name) and _is_usual(rows, name)
        ]
        if part not in chosen and free:
            chosen[part] = max(free, key=lambda name: sizes[name])
    if "instruction" not in chosen and "input" in chosen:  # what is given is all that is asked
        chosen["instruction"] = chosen.pop("input")
    sample = " ".join(str(value_at(row, name) or "")[:300] for row in rows[:50] for name in chosen.values())
    order = ("instruction", "input", "output", "system")
    return Proposal({part: chosen[part] for part in order if part in chosen}, "", _language(sample))


def _texts(rows: list[dict[str, Any]]) -> dict[str, int]:
    """Return the columns that hold text or a list of texts, inside objects too (answers.text), and how much of it."""
    sizes: Counter[str] = Counter()
    for row in rows:
        for name, value in row.items():
            inside = (
                {f"{name}.{key}": part for key, part in value.items()} if isinstance(value, dict) else {name: value}
            )
            for path, part in inside.items():
                texts = part if isinstance(part, list) else [part]
                sizes[path] += sum(len(text.strip()) if isinstance(text, str) else 0 for text in texts)
    return {path: size for path, size in sizes.items() if size}


def _is_usual(rows: list[dict[str, Any]], name: str) -> bool:
    """Tell whether most rows have something in a column."""
    return sum(bool(value_at(row, name)) for row in rows) >= 0.8 * len(rows)


def _by_name(names: list[str], known: tuple[str, ...]) -> str:
    """Return the column with the best-known name: exactly, or as a part of it (longer words only)."""
    for word in known:
        for name in names:
            if name.lower() == word:
                return name
    for word in known:
        for name in names:
            if len(word) > 3 and word in name.lower():
                return name
    return ""


def _all_conversations(rows: list[dict[str, Any]], name: str) -> bool:
    tried: Counter[bool] = Counter()
    for row in rows[:50]:
        if not isinstance(row.get(name), list):
            return False
        try:
            turns(row[name])
            tried[True] += 1
        except Skip:
            tried[False] += 1
    return tried[True] > tried[False]


def _language(text: str) -> str:
    text = text[:5_000]
    found = label(text, shares(text))
    return {"cyrillic": "ru", "arabic": "ar", "devanagari": "hi", "greek": "el", "hebrew": "he", "thai": "th"}.get(
        found, found if len(found) == 2 else "en"
    )
