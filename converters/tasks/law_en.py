"""Lawyer-Instruct: turns of lawyers talking, as instruction and answer. English.

What is odd about it, and what is done:
- It was cut from conversations of several "lawyers", so many answers are bare agreement, and some 860 rows talk about
  reasoning techniques instead of law. Both are dropped as boilerplate (SET boilerplate=false keeps them). An answer
  that agrees and then says what the law is stays.
- Most rows carry no legal word. They are kept by default; SET legal_words=true keeps only rows that have one, as the
  data set's card advises.
- `input` is empty in every row: nothing is written where there is nothing, so no empty "Input:" is trained on.
- The file is called .json; array and JSON Lines are both read. About 50 exact duplicates go in the duplicate step.
"""

import re

from converters.task import Options, Record, Row, Skip, built_in, given_text, text, words_of

WORDS = words_of("law_en")
TECHNIQUE = re.compile("|".join(WORDS["technique"]), re.IGNORECASE)
SENTENCE_END = re.compile(r"(?<=[.!?])\s+")
AGREEMENT = re.compile(
    r"(?:(?:yes|sure|absolutely|definitely|certainly|indeed|great|exactly|right)[,.!]*\s*)*"
    r"(?:(?:good|great|excellent) (?:point|idea|plan)\b|i (?:\w+ly )?(?:agree|concur)\b|sounds (?:good|great)\b"
    r"|(?:that|this|it) (?:sounds|makes (?:perfect )?sense|is a (?:good|great))\b|thank you\b|you(?:'re| are) right\b)",
    re.IGNORECASE,
)
PLAN = re.compile(rf"\b(?:{'|'.join(WORDS['plan'])})\b", re.IGNORECASE)
AGREEMENT_LENGTH = 250
"""Only answers of at most so many characters are looked at: a longer one has more to say than that it agrees."""
FEWEST_WORDS = 5
"""A sentence of fewer words says nothing by itself."""
LEGAL = re.compile(rf"\b(?:{'|'.join(WORDS['legal'].split())})\b", re.IGNORECASE)


def only_agrees(answer: str) -> bool:
    """Tell whether an answer opens with agreement and then says nothing but how to go on."""
    if len(answer) > AGREEMENT_LENGTH or not AGREEMENT.match(answer):
        return False
    return not any(_says_something(sentence) for sentence in SENTENCE_END.split(answer))


def _says_something(sentence: str) -> bool:
    """Tell whether a sentence says more than yes and how to go on; a short one must speak of the law."""
    if PLAN.search(sentence):
        return False
    short, agrees, legal = len(sentence.split()) < FEWEST_WORDS, AGREEMENT.match(sentence), LEGAL.search(sentence)
    return legal is not None and not (short and agrees) if short or agrees else True


def convert(row: Row, file: str, options: Options) -> Record:
    """Return the row as it is, unless it is about method or manners instead of matter."""
    instruction, given, answer = text(row, "instruction"), given_text(text(row, "input")), text(row, "output")
    record = Record(instruction, given, answer)
    if options["boilerplate"]:
        if TECHNIQUE.search(instruction) or TECHNIQUE.search(answer):
            raise Skip("boilerplate", "talks about a reasoning technique, not about law", record)
        if only_agrees(answer.strip()):
            raise Skip("boilerplate", "the answer only agrees", record)
    if options["legal_words"] and not (LEGAL.search(instruction) or LEGAL.search(answer)):
        raise Skip("domain", "no legal word in question or answer", record)
    return record


TASK = built_in("law_en", convert)
