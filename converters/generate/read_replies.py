"""Reads what a model wrote: a list of tasks, or a score. Strict about these, patient about what stands around. Pure.

Three shapes of a list are known: a JSON object or list (whole, fenced, or broken off), and `Instruction: / Input: /
Output:` blocks in English or Chinese. What is no whole item is counted as broken, never repaired.
"""

import json
import re
from typing import Any

from converters.generate.answers import each_phrase, phrases
from converters.task import Record

MARKS = {"", "noinput", "<noinput>", "no input", "无输入", "没有输入"}
NO_INPUT = MARKS | {"none", "n/a", "无"}
FIELDS = ("instruction", "input", "output")
HEADING = re.compile(r"^\s*(?:#{1,6}\s*(?:task\s*|任务\s*)?\d*[.:：、]?|-{3,})\s*$", re.IGNORECASE | re.MULTILINE)
LABELS = {
    "instruction": "instruction|指令|任务",
    "input": "input|输入",
    "output": "output|输出|回答",
}
INPUT_AGAIN = re.compile(rf"^(?:{LABELS['input']})\s*[:：]\s*", re.IGNORECASE)
LABEL = re.compile(
    r"^[\s*\d.、)]*(?P<label>" + "|".join(LABELS.values()) + r")\s*\**\s*[:：]\s*\**", re.IGNORECASE | re.MULTILINE
)

HIGHEST = 5
"""Of the scores, as AlpaGasus had them."""
STARS = re.compile(r"(★+|⭐+)☆*")
NUMBERS = ("zero", "one", "two", "three", "four", "five", *"零一二三四五")
REASON = re.compile(r"\"reason\"\s*:\s*\"((?:[^\"\\]|\\.)*)\"")


def parse(text: str, cut: bool = False) -> tuple[list[Record], list[str]]:
    """Return the items of a reply, and the reason of each broken one; `cut` says that it reached its longest length."""
    found = _from_json(text) if "{" in text else []
    if not any(isinstance(one, Record) for one in found):
        blocks = _from_blocks(text, cut)  # which may hold a brace, too
        found = blocks if not found or any(isinstance(one, Record) for one in blocks) else found
    return [one for one in found if isinstance(one, Record)], [one for one in found if isinstance(one, str)]


def item_of(value: Any) -> Record | str:
    """Return an object as a row, or why it is none."""
    if not isinstance(value, dict):
        return f"an item is {type(value).__name__}, not an object"
    named = {str(key).strip().casefold(): text for key, text in value.items()}
    texts = {name: next((named[word] for word in LABELS[name].split("|") if word in named), None) for name in FIELDS}
    texts["input"] = "" if texts["input"] is None else texts["input"]
    wrong = [name for name, text in texts.items() if not isinstance(text, str)]
    if wrong:
        return f"{' and '.join(wrong)} missing or no text"
    instruction, given, output = (str(texts[name]).strip() for name in FIELDS)
    given = INPUT_AGAIN.sub("", given)
    if not instruction or output.casefold() in MARKS:
        return f"empty {'instruction' if not instruction else 'output'}"
    return Record(instruction, "" if given.casefold() in NO_INPUT else given, output)


def _from_json(text: str) -> list[Record | str]:
    """Read objects one after another, so that the whole ones of a list that breaks off are found."""
    found: list[Record | str] = []
    decoder = json.JSONDecoder(strict=False)
    start = text.find("[")
    place = start + 1 if start >= 0 and "instruction" not in text[:start] else text.index("{")
    while (place := text.find("{", place)) >= 0:
        try:
            value, place = decoder.raw_decode(text, place)
        except json.JSONDecodeError as error:
            if error.pos >= len(text.rstrip()) - 1 or "Unterminated" in error.msg:
                found.append("the list breaks off")
                break
            found.append(f"not JSON: {error.msg}")
            place = max(place + 1, error.pos)
            continue
        found.append(item_of(value))
    return found


def _from_blocks(text: str, cut: bool) -> list[Record | str]:
    """Read `Instruction: ... Input: ... Output: ...` blocks; a new one begins with each instruction."""
    blocks: list[dict[str, str]] = []
    marks = list(LABEL.finditer(text))
    for number, mark in enumerate(marks):
        end = marks[number + 1].start() if number + 1 < len(marks) else len(text)
        name = next(key for key, words in LABELS.items() if mark["label"].casefold() in words.split("|"))
        if name == "instruction" or not blocks or name in blocks[-1]:
            blocks.append({})
        blocks[-1][name] = HEADING.sub("", text[mark.end() : end]).strip()
    found = [item_of(block) for block in blocks]
    return [*found[:-1], "the list breaks off"] if cut and found and isinstance(found[-1], Record) else found


def read_score(text: str) -> tuple[float, str] | None:
    """Return (score, reason) of a reply in whatever form, None when it holds no score from 0 to 5."""
    text = STARS.sub(lambda stars: f" {len(stars[1])}/5 ", text)
    text = phrases("spelled").sub(lambda word: str(NUMBERS.index(word[0].lower()) % 6), text)
    text = phrases("scale").sub(" ", phrases("half").sub(".5", text))
    for form in each_phrase("score"):
        if found := list(form.finditer(text)):
            last = found[-1]
            value = float(last["score"])
            told = REASON.search(text)
            reason = told[1] if told else (text[: last.start()] + text[last.end() :]).strip()
            return (value, reason) if value <= HIGHEST else None
    return None
