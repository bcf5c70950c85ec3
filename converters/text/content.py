"""What a text says beneath its wording: whether two rows ask the same and answer the same. Pure functions.

Two questions that share a passage, an instruction or a template are alike in most of their letters and ask different
things; one name, number or letter decides. So a short text is compared by its content: all words but those that carry
none ("please", "the", 请问), in their order. A long prompt is compared sentence by sentence, a long answer as a whole.
"""

import re
import unicodedata
from collections import Counter
from pathlib import Path

from rapidfuzz.distance import Indel

from common.yaml_files import read_yaml

SHORT = 50
"""Tokens (words, or Chinese characters) of a sentence below which any difference in content makes another."""
SHORT_PROMPT, SHORT_ANSWER = (400, 120), (120, 30)
"""Characters (of English, of Chinese) of a text up to which that is so for the whole of it."""
WORDS = read_yaml(Path(__file__).with_name("wording.yaml"))
NEGATIONS, FILLERS = (frozenset(WORDS[kind].split()) for kind in ("negations", "fillers"))
PARTICLES = dict.fromkeys(map(ord, WORDS["particles"]))
PHRASES = [(re.compile(phrase), plain) for phrase, plain in WORDS["phrases"]]
CONTRACTION = re.compile(r"\bcan['’]?not\b|n['’]t\b", re.IGNORECASE)
SINGLE = re.compile(r"\b[AI]\b(?! [a-z])")
"""A name (option A, hepatitis A, type I): the article and the pronoun have a small letter behind them."""
HAN = r"\u3040-\u30ff\u3400-\u9fff"
TOKEN = re.compile(rf"\d+(?:[.,:]\d+)*|[^\W\d_{HAN}]+|[{HAN}]+|[<>≤≥=+*/^%±×÷~$€£¥]")
NEGATIVE = re.compile(r"(?<![\w)])[-−](?=\d)")
SENTENCE_END = re.compile(r"(?<=[.!?;:])\s+|[。！？；：\n]+")


def _runs(text: str) -> list[str]:
    """Return the words, numbers, runs of Chinese characters and signs of a text, in lower case."""
    text = unicodedata.normalize("NFKC", text)
    if "-" in text or "−" in text:
        text = NEGATIVE.sub("~", text)
    if "n" in text:
        text = CONTRACTION.sub(" not", text)
    if "A" in text or "I" in text:
        text = SINGLE.sub(lambda found: "αι"[found[0] == "I"], text)
    return TOKEN.findall(text.lower())


def tokens(text: str) -> list[str]:
    """Return the words, numbers, Chinese characters and signs of a text, in lower case."""
    return [part for run in _runs(text) for part in (run if run[0] >= "\u3040" else (run,))]


def core(text: str, limits: tuple[int, int] = SHORT_PROMPT) -> str:
    """Return the content of a short text, the same for every wording of it; "" for a long text."""
    return _content(text) if _is_short(text, limits) else ""


def _is_short(text: str, limits: tuple[int, int]) -> bool:
    return len(text) <= limits[not text.isascii()]


def _content(text: str) -> str:
    """Return what a text says: its words without endings and fillers, its Chinese characters without particles."""
    if text.isascii():
        return " ".join([_stem(one) for one in _runs(text) if one not in FILLERS])
    for phrase, plain in PHRASES:
        text = phrase.sub(plain, text)
    parts = (
        one if one[0] >= "\u3040" else f" {_stem(one)} "
        for one in _runs(text.translate(PARTICLES))
        if one not in FILLERS
    )
    return "".join(parts).strip()


def _stem(word: str) -> str:
    if len(word) < 5 or not word.isascii():
        return word
    for ending, instead in (("ies", "y"), ("ing", ""), ("ed", ""), ("es", "e"), ("s", "")):
        if word.endswith(ending) and not word.endswith(("ss", "us", "is")) and len(word) - len(ending) >= 3:
            return (word[: -len(ending)] + instead).rstrip("e")
    return word.rstrip("e")


def ask_the_same(first: str, second: str, near: float) -> bool:
    """Tell whether two prompts ask the same: each sentence of one has its counterpart in the other."""
    if (one := core(first)) or core(second):
        return one == core(second)
    here, there = _sentences(first), _sentences(second)
    left, right = list((here - there).elements()), list((there - here).elements())
    if len(left) != len(right):
        return False
    return all(_alike(tokens(one), tokens(other), near) for one, other in zip(left, right, strict=True))


def answer_the_same(first: str, second: str, near: float) -> bool:
    """Tell whether two answers say the same: short ones in content, long ones in so large a share of their words."""
    if (one := core(first, SHORT_ANSWER)) or core(second, SHORT_ANSWER):
        return one == core(second, SHORT_ANSWER)
    here, there = tokens(first), tokens(second)
    if (_is_short(first, SHORT_PROMPT) or _is_short(second, SHORT_PROMPT)) and _decisive(here) != _decisive(there):
        return False
    return Indel.normalized_similarity(here, there, score_cutoff=near) >= near


def _sentences(text: str) -> Counter[str]:
    return Counter(found for part in SENTENCE_END.split(text) if (found := _content(part)))


def _alike(first: list[str], second: list[str], near: float) -> bool:
    """Tell whether two long sentences differ in little, and in nothing that decides."""
    if min(len(first), len(second)) < SHORT or _decisive(first) != _decisive(second):
        return False
    return Indel.normalized_similarity(first, second, score_cutoff=near) >= near


def _decisive(words: list[str]) -> list[str]:
    """Return the words any of which turns a sentence into another: numbers and negations."""
    return [word for word in words if word[0].isdigit() or word in NEGATIONS]
