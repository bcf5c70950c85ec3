"""Whether a rewritten answer keeps what the original says (numbers, names, letters chosen, the rest) and answers. Pure.

The original decides: each of its facts has to be found in the rewritten answer. Nothing here knows what bad answers
look like. A false alarm costs a rewriting; a missed loss costs the row.
"""

import re
from pathlib import Path

from rapidfuzz.fuzz import ratio

from common.yaml_files import read_yaml
from converters.generate.answers import ENUMERATOR, HAN, Dropped, any_of, content, folded, no_answer, script, unframed
from converters.text.language import sample, shares, wrong_language

TABLES = read_yaml(Path(__file__).with_name("facts.yaml"))
HAN_DIGIT, HAN_SCALE, WORDS, UNITS = (TABLES[name] for name in ("digits", "scales", "words", "units"))
SCALE = HAN_SCALE | TABLES["latin_scales"]
LISTS = TABLES["forms"] | {"unit": sorted(UNITS, key=len, reverse=True)}
FORMS = {name: re.compile(any_of(name, LISTS)) for name in LISTS}
LONGEST_LABEL = {"han": 20, "latin": 30}
"""Characters of one label, of which an answer may list several."""
COMMON = frozenset(TABLES["common"].split())
FAIR_LENGTH = 40
SAME = 97
"""Percent of the letters that a copy has in common with the original."""
SHORTEST = 0.35
"""An answer of at least FAIR_LENGTH characters keeps this share of its length."""
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
    if (
        letters := choice(original)
        if has_options(question) or FORMS["letters_alone"].fullmatch(original.strip())
        else ""
    ):
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
    text = FORMS["url"].sub(" ", "\n".join(lines))
    fractions = FORMS["fraction"].findall(text)
    found = {100 * _value(part) / _value(whole) for whole, part in fractions if _value(whole)}  # percent
    text = FORMS["fraction"].sub(" ", text)
    found |= {_value(number) * SCALE[scale.lower()] for number, scale in FORMS["scaled"].findall(text)}  # 5万 is 50000
    alone = FORMS["scaled"].sub(" ", text)
    found |= {_value(number) for number in FORMS["arabic"].findall(text if every else alone)}
    found |= {number_of(numeral) for numeral in FORMS["numeral" if every else "counted"].findall(alone)}
    return found | {float(WORDS[word]) for word in re.findall(r"[a-z]+", text.lower()) if word in WORDS}


def lost(original: str, rewritten: str) -> str:
    """Return a fact of the original that the rewritten answer lacks, or ""."""
    there = numbers(rewritten, every=True) | _said_otherwise(original, rewritten)
    there |= {value for word, value in TABLES["twice"].items() if word in rewritten.casefold()}
    if missing := sorted(numbers(original, every=False) - there):
        return f"the number {missing[0]:g}"
    if missing_names := [name for name in names(original) if name.casefold() not in rewritten.casefold()]:
        return f"the name {missing_names[0]}"
    before, after = (content(FORMS["url"].sub(" ", text), 6, COMMON) for text in (original, rewritten))
    share = len(before & after) / len(before) if before else 1.0
    return f"{1 - share:.0%} of its words" if share < LEAST_KEPT else ""


def quantities(text: str) -> list[tuple[float, float]]:
    """Return (number, amount in the smallest unit of its kind) of the times, masses and volumes in a text."""
    found = ((_spoken(number), UNITS[unit]) for number, unit in FORMS["quantity"].findall(text.casefold()))
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
    for form in ("provision", "amount"):
        for found in FORMS[form].finditer(rewritten):
            if any(_value(number) not in there for number in found.groups() if number):
                return found[0].strip()
    return ""


def names(text: str) -> list[str]:
    """Return the names in a text: titles of laws, capitalised words inside sentences, Latin words in Chinese."""
    text = FORMS["url"].sub(" ", text)
    if HAN.search(text):
        return [*FORMS["title"].findall(text), *FORMS["latin_in_han"].findall(text)]
    return FORMS["name"].findall(text)


def choice(text: str) -> str:
    """Return the letters that an answer chooses, in order ("B。", "(B)", "选B", "答案：A、C"); "" when it has none."""
    found = FORMS["chosen"].search(text.strip())
    return "".join(sorted(set(re.findall(r"[A-H]", found[1] or found[2])))) if found else ""


def is_label(question: str, answer: str) -> bool:
    """Tell whether an answer is the bare label that its question wants, or a list of them: a charge, a name, a trigger.

    It is no sentence, and the question either holds each of them or says in what form it wants its answer.
    """
    text = answer.strip().rstrip("。.")
    labels = [label for label in FORMS["between"].split(FORMS["lead"].sub("", text)) if label]
    if (
        FORMS["sentence"].search(text)
        or not labels
        or max(map(len, labels)) > LONGEST_LABEL["han" if HAN.search(text) else "latin"]
    ):
        return False
    named = all(label.casefold() in question.casefold() for label in labels)
    return bool(FORMS["form"].search(question)) or (named and not has_options(question))


def has_options(question: str) -> bool:
    """Tell whether a question lists lettered options."""
    return len(set(FORMS["options"].findall(question))) > 1


def _value(number: str) -> float:
    if number[0] in HAN_DIGIT or number[0] in HAN_SCALE:
        return number_of(number)
    whole, _, rest = number.replace(",", "").partition(".")
    return float(f"{whole}.{rest.replace('.', '')}")  # the section 1.2.3 is as good as a number
