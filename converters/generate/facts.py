"""Whether a rewritten answer keeps what the original says (numbers, names, letters chosen, the rest) and answers. Pure.

The original decides: each of its facts has to be found in the rewritten answer. Nothing here knows what bad answers
look like. A false alarm costs a rewriting; a missed loss costs the row.
"""

import re
from pathlib import Path

from rapidfuzz.fuzz import ratio

from common.yaml_files import read_yaml
from converters.generate.answers import ENUMERATOR, HAN, Dropped, content, folded, no_answer, script, unframed
from converters.text.language import sample, shares, wrong_language

TABLES = read_yaml(Path(__file__).with_name("facts.yaml"))
HAN_DIGIT, HAN_SCALE, WORDS, UNITS = (TABLES[name] for name in ("digits", "scales", "words", "units"))
SCALE = HAN_SCALE | TABLES["latin_scales"]

URL = re.compile(r"(?:https?://|www\.)\S+|\S+@\S+\.\w+")
NUMERAL = f"[{''.join(HAN_DIGIT)}{''.join(HAN_SCALE)}]+"
ARABIC = r"\d+(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?"
SCALED = re.compile(
    r"(?!401k)(\d+(?:,\d{3})*(?:\.\d+)?)\s*([百千万亿]|(?:k|thousand|million|billion)\b)", re.IGNORECASE
)
FRACTION = re.compile(rf"({NUMERAL}|\d+)\s*分之\s*({NUMERAL}|\d+(?:\.\d+)?)")
WITH_MEASURE = re.compile(
    rf"(?<![零一二三四五六七八九〇两十百千万亿第唯统]){NUMERAL}(?={'|'.join(TABLES['measures'])})"
    rf"|(?<=第){NUMERAL}(?=[条款项章节编届])"
)
QUANTITY = re.compile(
    rf"({ARABIC}|{NUMERAL}|\b[a-z]+\b)[\s-]*({'|'.join(sorted(UNITS, key=len, reverse=True))})(?![a-z])"
)
TITLE = re.compile(r"《([^《》]{2,40})》")
LATIN_IN_HAN = re.compile(r"[A-Za-z][A-Za-z0-9-]{2,}")
NAME = re.compile(r"(?!OK\b)(?:(?<=[a-z0-9,;:] )[A-Z][\w’'-]+|\b[A-Z]{2,}[a-z]?\b|\b[a-z]+[A-Z]\w*\b)")
"""A capital letter inside a sentence, or several."""
PROVISION = re.compile(
    rf"第\s*({NUMERAL}|\d+)\s*条"
    r"|(?:§+|\b(?:sections?|articles?|rules?)\b)\s*(\d+(?:\.\d+)*)(?:\s*(?:,|and|or|&)\s*(\d+(?:\.\d+)*))?",
    re.IGNORECASE,
)
AMOUNT = re.compile(
    rf"(?:[$€£¥￥]\s?({ARABIC}))"
    rf"|({ARABIC})\s*(?:%|％|(?:percent|[mµ]?g|m[lL]|IU)(?![A-Za-z])|毫克|毫升|克|万?元|美元|dollars\b)",
    re.IGNORECASE,
)
OPTIONS = re.compile(r"(?:^|[\s（(：:。？?])([A-H])(?:[.、．:：)）]|\s+\S)")
LETTERS = r"[A-H](?:[）)]?\s*(?:[、,，/&和与及]|and\b)?\s*[（(]?[A-H])*(?![A-Za-z])"
CHOSEN = re.compile(
    r"^\W*(?i:(?:正确|参考)?答案(?:是|为|选|应为)?|应?该?选择?|(?:the )?(?:correct )?(?:answer|option|choice)(?: is)?)?"
    rf"\W*?({LETTERS})"
    rf"|(?i:选择?|答案(?:是|为|选)?[:：]?|(?:answer|option|choice)(?: is)?:?)\s*[（(]?({LETTERS})"
)
LONGEST_LABEL = {"han": 20, "latin": 30}
"""Characters of one label, of which an answer may list several."""
SENTENCE = re.compile(r"[，。！？!?]|\.\s")
LEAD, BETWEEN = re.compile(r"^[^\W\d_]{1,10}[:：]\s*"), re.compile(r"[;；,、/\s]+")
# in which a question says in what form it wants its answer
FORM = re.compile(
    r"格式|只(?:需|要|写|给|输出|回答)|直接给出|尽可能(?:的)?简洁|\b(?:only|format|one word|nothing else)\b",
    re.IGNORECASE,
)
COMMON = frozenset(TABLES["common"].split())
FAIR_LENGTH = 40
SAME = 97
"""Percent of the letters that a copy has in common with the original."""
SHORTEST = 0.35
"""An answer of at least FAIR_LENGTH characters keeps this share of its length."""
LETTERS_ALONE = re.compile(r"(?:答案|选|answer)?\W*(?:[A-H]\W*)+", re.IGNORECASE)
LEAST_KEPT = 0.35
"""The share of the original's content (words; pairs of characters in Chinese) that must be found again."""


def problem(question: str, original: str, text: str, language: str) -> Dropped | None:
    """Return (step, reason) of the first check that a rewritten answer fails against the original, None when none."""
    if not text:
        return "no_content", "no answer"
    if max(ratio(folded(text), folded(known)) for known in (original, unframed(original))) >= SAME:
        return "unchanged", "the answer is the same"
    if is_label(question, original):
        return "label", "the question wants the label that the original is"
    if why := no_answer(text):
        return why
    if folded(text) == folded(question):
        return "echo", "the question itself"
    if wrong := wrong_language(text, shares(sample("", text)), language):
        return "language", f"not {language}: {wrong}"
    if {script(text), script(original + question)} == {"simplified", "traditional"}:
        return "script", f"{script(text)} characters"
    if letters := choice(original) if has_options(question) or LETTERS_ALONE.fullmatch(original.strip()) else "":
        got = choice(text)
        return None if got == letters else ("choice", f"the answer was {letters}, is {got or 'no letter'}")
    if len(original) >= FAIR_LENGTH and len(text) < SHORTEST * len(original):
        return "shorter", f"{len(text)} characters for {len(original)}"
    if fact := lost(original, text):
        return "lost_fact", f"without {fact}"
    if fact := added(f"{question}\n{original}", text):
        return "added_fact", f"{fact} is neither in the question nor in the original"
    return None


def number_of(text: str) -> float:
    """Return the value of a Chinese numeral (二十三, 六百八十, 二〇二四)."""
    if all(character in HAN_DIGIT for character in text):
        return float("".join(str(HAN_DIGIT[character]) for character in text))
    total = section = digit = 0
    for character in text:
        if character in HAN_DIGIT:
            digit = HAN_DIGIT[character]
        elif (scale := HAN_SCALE[character]) < 10_000:
            section, digit = section + (digit or 1) * scale, 0
        else:
            block, section, digit = section + digit or 1, 0, 0
            total = (total + block) * scale if total < scale else total + block * scale
    return float(total + section + digit)


def numbers(text: str, every: bool) -> set[float]:
    """Return the numbers of a text; `every` takes Chinese numerals without a measure, too."""
    lines = [line[mark.end() :] if (mark := ENUMERATOR.match(line)) else line for line in text.split("\n")]
    text = URL.sub(" ", "\n".join(lines))
    found = {100 * _value(part) / _value(whole) for whole, part in FRACTION.findall(text) if _value(whole)}  # percent
    text = FRACTION.sub(" ", text)
    found |= {_value(number) * SCALE[scale.lower()] for number, scale in SCALED.findall(text)}  # 5万 is 50000
    alone = SCALED.sub(" ", text)
    found |= {_value(number) for number in re.findall(ARABIC, text if every else alone)}
    found |= {number_of(numeral) for numeral in (re.compile(NUMERAL) if every else WITH_MEASURE).findall(alone)}
    return found | {float(WORDS[word]) for word in re.findall(r"[a-z]+", text.lower()) if word in WORDS}


def lost(original: str, rewritten: str) -> str:
    """Return a fact of the original that the rewritten answer lacks, or ""."""
    there = numbers(rewritten, every=True) | _said_otherwise(original, rewritten)
    there |= {value for word, value in TABLES["twice"].items() if word in rewritten.casefold()}
    if missing := sorted(numbers(original, every=False) - there):
        return f"the number {missing[0]:g}"
    if missing_names := [name for name in names(original) if name.casefold() not in rewritten.casefold()]:
        return f"the name {missing_names[0]}"
    before, after = (content(URL.sub(" ", text), 6, COMMON) for text in (original, rewritten))
    share = len(before & after) / len(before) if before else 1.0
    return f"{1 - share:.0%} of its words" if share < LEAST_KEPT else ""


def quantities(text: str) -> list[tuple[float, float]]:
    """Return (number, amount in the smallest unit of its kind) of the times, masses and volumes in a text."""
    found = ((_spoken(number), UNITS[unit]) for number, unit in QUANTITY.findall(text.casefold()))
    return [(number, number * unit) for number, unit in found if number]


def _spoken(number: str) -> float:
    """Return the value of a number, or of the word for one before a unit; 0 for another word."""
    if number.isascii() and number[0].isalpha():
        return float(WORDS.get(number, number in ("a", "an", "one", "per")))
    return _value(number)


def _said_otherwise(text: str, other: str) -> set[float]:
    """Return the numbers of a text whose amount another text says, in whatever unit: 24 hours are a day."""
    said = {amount for _, amount in quantities(other)}
    return {number for number, amount in quantities(text) if amount in said}


def added(known: str, rewritten: str) -> str:
    """Return a provision or an amount that a rewritten answer has and neither question nor original has, or ""."""
    there = numbers(known, every=True) | _said_otherwise(rewritten, known)
    for pattern in (PROVISION, AMOUNT):
        for found in pattern.finditer(rewritten):
            if any(_value(number) not in there for number in found.groups() if number):
                return found[0].strip()
    return ""


def names(text: str) -> list[str]:
    """Return the names in a text: titles of laws, capitalised words inside sentences, Latin words in Chinese."""
    text = URL.sub(" ", text)
    if HAN.search(text):
        return [*TITLE.findall(text), *LATIN_IN_HAN.findall(text)]
    return NAME.findall(text)


def choice(text: str) -> str:
    """Return the letters that an answer chooses, in order ("B。", "(B)", "选B", "答案：A、C"); "" when it has none."""
    found = CHOSEN.search(text.strip())
    return "".join(sorted(set(re.findall(r"[A-H]", found[1] or found[2])))) if found else ""


def is_label(question: str, answer: str) -> bool:
    """Tell whether an answer is the bare label that its question wants, or a list of them: a charge, a name, a trigger.

    It is no sentence, and the question either holds each of them or says in what form it wants its answer.
    """
    text = answer.strip().rstrip("。.")
    labels = [label for label in BETWEEN.split(LEAD.sub("", text)) if label]
    if (
        SENTENCE.search(text)
        or not labels
        or max(map(len, labels)) > LONGEST_LABEL["han" if HAN.search(text) else "latin"]
    ):
        return False
    named = all(label.casefold() in question.casefold() for label in labels)
    return bool(FORM.search(question)) or (named and not has_options(question))


def has_options(question: str) -> bool:
    """Tell whether a question lists lettered options."""
    return len(set(OPTIONS.findall(question))) > 1


def _value(number: str) -> float:
    if number[0] in HAN_DIGIT or number[0] in HAN_SCALE:
        return number_of(number)
    whole, _, rest = number.replace(",", "").partition(".")
    return float(f"{whole}.{rest.replace('.', '')}")  # the section 1.2.3 is as good as a number
