"""What an answer is by itself: whether it answers at all, repeats itself, and what a model wrote around it. Pure.

Whether a reply refuses is decided by all its sentences, not by a word in it: each is content, or it speaks about the
conversation (an apology, "I cannot ...", "please ask a doctor", "here is the answer:"). A reply with hardly any content
is no answer, however it puts that; one that apologises and then answers is one.
"""

import functools
import re
from itertools import pairwise
from pathlib import Path

from common.yaml_files import read_yaml

Dropped = tuple[str, str]
"""The step at which something is dropped, and the reason."""
UNIT = re.compile(r"[^。！？!?\n；;，]+?(?:[。！？!?\n；;，]+|\.(?=\s|$)|,(?= but)|$)")
"""A sentence; in Chinese a clause, since one sentence there holds an apology, a refusal and an advice."""
LETTER = re.compile(r"[^\W_]")
HAN = re.compile(r"[\u3400-\u9fff]+")
WORD = re.compile(r"[a-z]{4,}")
ENUMERATOR = re.compile(r"^[\s*#>-]*(?:[（(]?\d{1,2}[.、）):：](?!\d)|[（(]?[一二三四五六七八九十]{1,3}[、）)])?[\s*]*")
LOOP = re.compile(r"(.{2,40}?)\1{4,}")
WRAPPED = re.compile(
    r"```\w*\n(?P<a>.*)\n```|<(?P<tag>\w+)>(?P<b>.*)</(?P=tag)>|“(?P<c>[^”]*)”|\"(?P<d>[^\"]*)\"", re.DOTALL
)
LEAST_CONTENT = 0.35
"""A refusal with a smaller share of content is nothing else."""
FEW_UNITS = 4
"""An answer of more sentences than this says something."""
SAID_THRICE = 6
"""Letters of a clause that is a loop when it is said three times in a row; shorter ones are emphasis."""
AT_EACH_END = 3
"""Announcements or offers that are cut off at most."""


Lists = dict[str, list[str]]
LISTS: Lists = read_yaml(Path(__file__).with_name("phrases.yaml"))


@functools.cache
def phrases(name: str) -> re.Pattern[str]:
    """Return what matches any expression of a list in phrases.yaml."""
    return re.compile(any_of(name, LISTS), re.IGNORECASE)


@functools.cache
def each_phrase(name: str) -> list[re.Pattern[str]]:
    """Return what matches each expression of a list in phrases.yaml, in their order."""
    return [re.compile(_whole(pattern, LISTS), re.IGNORECASE) for pattern in LISTS[name]]


def any_of(name: str, lists: Lists) -> str:
    """Return the expressions of a list as one; <<name>> in them stands for another list."""
    return "|".join(f"(?:{_whole(pattern, lists)})" for pattern in lists[name])


def _whole(pattern: str, lists: Lists) -> str:
    return re.sub(r"<<(\w+)>>", lambda found: f"(?:{any_of(found[1], lists)})", pattern)


def unframed(text: str) -> str:
    """Return an answer without the fence, tags or quotes around it, the announcement before and the offer behind it."""
    for name in ("lead", "closing"):
        for _ in range(AT_EACH_END):
            if wrapped := WRAPPED.fullmatch(text.strip()):
                text = next(wrapped[part] for part in "abcd" if wrapped[part] is not None)
            text = phrases(name).sub("", text.strip(), count=1).strip()
    return text


def no_answer(text: str, asked: str = "") -> Dropped | None:
    """Return why a text answers nothing: it refuses, has no content, or says the same over and over.

    A text that refuses, or speaks of itself, has no content either where it shares nothing with what was `asked`.
    """
    units = [found[0].strip() for found in UNIT.finditer(unframed(text)) if LETTER.search(found[0])]
    if not units:
        return "no_content", "nothing is said"
    refusing = next((unit for unit in units if phrases("refusal").search(unit)), "")
    kinds = ("empty", "refusal", "deferral", "reason") if refusing else ("empty",)
    spoken = [unit for unit in units if any(phrases(kind).search(unit) for kind in kinds)]
    share = 1 - sum(map(len, spoken)) / sum(map(len, units))
    if refusing and share < LEAST_CONTENT:
        return "refused", refusing
    own = refusing or next((unit for unit in units if phrases("speaker").search(unit)), "")
    if asked and own and len(units) <= FEW_UNITS and not content(asked, 5) & content(text, 5):
        return "refused", own
    if not share:
        return "no_content", spoken[0]
    same = repetition(text)
    return ("repetition", f"says {same!r} over and over") if same else None


def content(text: str, letters: int, left_out: frozenset[str] = frozenset()) -> set[str]:
    """Return what a text is about: the first letters of its longer words, its Chinese characters in pairs."""
    text = text.casefold()
    pairs = {one + other for run in HAN.findall(text) for one, other in pairwise(run)}
    return pairs | {word[:letters] for word in WORD.findall(text) if word not in left_out}


def repetition(text: str) -> str:
    """Return what a text says over and over, or ""."""
    units = [folded(ENUMERATOR.sub("", found[0])) for found in UNIT.finditer(text)]
    units = [unit for unit in units if unit]
    if len(units) >= 4 and 2 * len(set(units)) <= len(units):
        return max(units, key=units.count)
    for unit, *again in zip(units, units[1:], units[2:], strict=False):
        if again == [unit, unit] and len(unit) >= SAID_THRICE:
            return unit
    loop = LOOP.search("".join(units))
    return loop[1] if loop and any(map(str.isalpha, loop[1])) else ""


def folded(text: str) -> str:
    """Return the letters and digits of a text alone."""
    return "".join(LETTER.findall(text)).casefold()


def script(text: str) -> str:
    """Return "traditional" or "simplified" for Chinese that holds characters of one of them alone, else "".

    The old national character sets tell them apart: GB 2312 has simplified characters, Big5 traditional ones.
    """
    only = {"simplified": 0, "traditional": 0}
    for character in set("".join(HAN.findall(text))):
        simplified, traditional = (_encodes(character, codec) for codec in ("gb2312", "big5"))
        if simplified != traditional:
            only["simplified" if simplified else "traditional"] += 1
    return max(only, key=lambda name: only[name]) if any(only.values()) else ""


@functools.cache
def _encodes(character: str, codec: str) -> bool:
    try:
        return bool(character.encode(codec))
    except UnicodeEncodeError:
        return False
