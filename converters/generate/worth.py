"""Whether a generated item is worth a place among the training rows, looked at alone. Pure.

An instruction must be one that somebody who only reads and writes text can carry out with what is given; its answer
must answer.
"""

import re
import unicodedata

from converters.generate.answers import Dropped, folded, no_answer, phrases, script
from converters.generate.novelty import tokens
from converters.generate.read_replies import FIELDS
from converters.task import Record
from converters.text.language import UNSPACED, sample, shares, wrong_language

FEWEST = 4
"""Fewer words than this, or characters in Chinese, are no instruction (stanford_alpaca's bound)."""
MOST = {"spaced": 150, "unspaced": 300}
BRACKETED = re.compile(r"\s*[\[【<(（][^\[\]【】<>()（）]{2,60}[\]】>)）]\W*")
QUOTED = re.compile(r"[“\"「『].{6,}[”\"」』]", re.DOTALL)
FIRST, NEXT = re.compile(r"\W*1[.、)）]"), re.compile(r"\n\W*2[.、)）]")
COLON = re.compile(r"[:：]")
COPIED_LETTERS, HALF = 15, 0.5
"""So much of an input, and of an instruction's words, is more than a word that any answer takes from it."""
NEW = 0.1
"""The share of new words up to which an answer says no more than its instruction."""
AFTER_COLON, AFTER, BEFORE = 6, 60, {"spaced": 40, "unspaced": 12}
"""Letters from which material stands in the instruction itself: behind a colon, behind or before the words for it."""


def unworthy(item: Record, language: str, characters: str = "") -> Dropped | None:
    """Return (step, reason) of the first check that an item fails, None when it passes all.

    `characters` are the Chinese ones that the task is written in, simplified or traditional ("" for any).
    """
    spacing, unit = ("unspaced", "characters") if language in UNSPACED else ("spaced", "words")
    count = len(tokens(item.instruction))
    if not FEWEST <= count <= MOST[spacing]:
        return "length", f"instruction of {count} {unit}, not {FEWEST} to {MOST[spacing]}"
    for name in FIELDS:
        text = unicodedata.normalize("NFKC", getattr(item, name))
        found = phrases("placeholder").search(text) or (BRACKETED.fullmatch(text) if name == "input" else None)
        # Twice: "write the letter between [answer] and [end]. Like [answer]B"
        if found and item.instruction.count(found[0]) < 2:
            return "placeholder", f"{found[0].strip()!r} in the {name}"
        blank = phrases("blank").search(text)
        if blank and not phrases("blanks").search(item.instruction):
            return "placeholder", f"{blank[0]!r} in the {name}"
    if missing := _missing(item, spacing):
        return "missing_material", f"{missing!r} is not there"
    if not phrases("question").search(item.instruction) and (found := phrases("action").search(item.instruction)):
        return "action", f"{found[0].strip()!r} is nothing that text can do"
    if why := _not_an_answer(item):
        return why
    if echoed := _echoed(item):
        return "echo", f"the answer is the {echoed}"
    for name in FIELDS:
        text = getattr(item, name)
        wrong = wrong_language(text, shares(sample("", text)), language)
        if wrong and (name == "instruction" or not phrases("translates").search(item.instruction)):
            return "language", f"{name} not {language}: {wrong}"
    got = script(item.instruction + item.output)
    return ("script", f"{got} characters") if characters and got and got != characters else None


def _not_an_answer(item: Record) -> Dropped | None:
    """Return why an output is no answer: it refuses, says nothing, sets another task or has the next one in it."""
    if FIRST.match(item.instruction) and NEXT.search(item.output) and not FIRST.match(item.output):
        return "broken", "the next task stands in its output"
    if phrases("request").search(item.output):
        return "no_content", "the answer sets another task"
    return no_answer(item.output, item.prompt)


def _echoed(item: Record) -> str:
    """Return what the answer is once more: the input, or the words of an instruction that is not answered by them."""
    said, given = folded(item.output), folded(item.input)
    asked = {*tokens(item.instruction)}
    if given and given in said and len(said) < 2 * len(given) and not phrases("marks").search(item.instruction):
        rest = tokens(item.output.casefold().replace(item.input.casefold().strip(" .。!！"), " ", 1))
        if said == given or (len(given) >= COPIED_LETTERS and {*rest} <= asked):
            return "input"
    if (whole := folded(item.instruction)) in said and len(said) < 1.5 * len(whole):
        return "instruction"
    words = {*tokens(phrases("filler").sub(" ", item.output))}
    told = len(asked & {*tokens(item.output)}) / len(asked)
    open_ended = not phrases("choice").search(item.instruction) or phrases("asks").search(item.output)
    alone = {*tokens(item.input)} <= asked and "\n" not in item.instruction
    nothing_new = len(words - asked) <= NEW * len(words)
    return "instruction" if alone and nothing_new and told > HALF and open_ended else ""


def _missing(item: Record, spacing: str) -> str:
    """Return the words by which an instruction without an input speaks of material that is not there, or ""."""
    text = item.instruction
    if item.input:
        pointing = phrases("elsewhere").fullmatch(item.input.strip())
        return pointing[0] if pointing else ""
    if found := phrases("shown").search(text):
        return found[0]
    if QUOTED.search(text):
        return ""
    for found in phrases("ahead").finditer(text):
        colon = COLON.search(text, found.end())
        if len(folded(text[found.end() :])) < AFTER and not (colon and len(folded(text[colon.end() :])) >= AFTER_COLON):
            return found[0]
    for found in phrases("behind").finditer(text):
        if len(folded(text[: found.start()])) < BEFORE[spacing] and not COLON.search(phrases("listed").sub(" ", text)):
            return found[0]
    return ""
