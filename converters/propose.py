"""Looks at some rows and proposes what they are: which column asks, which answers, in what language. Pure."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from converters.conversations import turns
from converters.language import label, shares
from converters.task import Skip

ASKS = ("instruction", "question", "prompt", "query", "problem", "title", "user", "human", "ask", "问题", "提问", "q")
ANSWERS = (
    "output", "answer", "response", "completion", "reply", "solution", "target", "chosen", "assistant", "gpt",
    "回答", "答案", "a",
)  # fmt: skip
GIVENS = ("input", "context", "passage", "document", "background", "article", "材料")
SYSTEMS = ("system", "system_prompt", "system_message")
MESSAGES = ("conversations", "messages", "conversation", "dialogue", "dialog", "turns")


@dataclass
class Proposal:
    """What a set of rows seems to be."""

    columns: dict[str, str] = field(default_factory=dict)
    conversations: str = ""
    language: str = "en"


def propose(rows: list[dict[str, Any]]) -> Proposal:
    """Return the proposal for some rows; empty columns when no answer could be found."""
    names = list(dict.fromkeys(str(name) for row in rows for name in row))
    for name in sorted(names, key=lambda name: name.lower() not in MESSAGES):
        if _all_conversations(rows, name):
            return Proposal({}, name, _language(" ".join(str(row.get(name)) for row in rows[:50])))
    texts = [name for name in names if any(isinstance(row.get(name), str) and row[name].strip() for row in rows)]
    chosen: dict[str, str] = {}
    for part, known in (("instruction", ASKS), ("output", ANSWERS), ("input", GIVENS), ("system", SYSTEMS)):
        free = [name for name in texts if name not in chosen.values()]
        found = _by_name(free, known)
        if found:
            chosen[part] = found
    for part in ("output", "instruction"):  # no telling name: the longest texts, the answers being the longer ones
        if part not in chosen:
            free = [name for name in texts if name not in chosen.values()]
            if free:
                chosen[part] = max(free, key=lambda name: sum(len(str(row.get(name) or "")) for row in rows))
    if "output" not in chosen or "instruction" not in chosen:
        return Proposal()
    sample = " ".join(str(row.get(name) or "")[:300] for row in rows[:50] for name in chosen.values())
    order = ("instruction", "input", "output", "system")
    return Proposal({part: chosen[part] for part in order if part in chosen}, "", _language(sample))


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
