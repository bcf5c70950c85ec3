"""Scoring: an LLM rates each row from 0 to 5, as AlpaGasus did, so that the better ones can be selected."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from common.llm.client import Request
from common.llm.reply import Reply
from converters.generate.ask import EXCERPT, Dropped
from converters.generate.each_row import EachRow
from converters.generate.parts import Row
from converters.generate.prompts import SCORE
from converters.task import Record

HIGHEST = 5
SCALE = re.compile(
    r"(?:\bfrom\s+|\bof\s+)?[01]\s*(?:to|and|-|–|~|～|到|至)\s*5\s*(?:分|points?|scale)?|\b5[- ]point scale"
    r"|满分\D{0,3}5\s*分?"
)
"""The scale itself is no score."""
STARS = re.compile(r"(★+|⭐+)☆*")
WORDS = ("zero", "one", "two", "three", "four", "five", *"零一二三四五")
SPELLED = re.compile(
    r"(?:(?<=out of )|(?<=score: )|(?<=rating: ))(zero|one|two|three|four|five)\b"
    r"|\b(zero|one|two|three|four|five)(?=(?: and a half)?\s*(?:/|out of|points?\b|stars?\b))"
    r"|([零一二三四五])(?=(?:点五)?\s*分(?![钟之]))",
    re.IGNORECASE,
)
HALF = re.compile(r"(?<=\d)(?: and a half|点[五5]|(?=\s*分半))")
NUMBER = (
    r"[\"'*\s]*(?P<score>\d+(?:\.\d+)?)"
    r"(?![\d.]*\d)(?!\s*(?:/|out of|of)\s*(?!5(?:\.0)?\b)\d)(?!\s*[%％])"
)
LABEL = (
    r"[\"'*]*(?:\b(?:score|rating|grade|overall|assessment|mark)|评分|得分|打分|分数|总分|给分|分值|总评|评级|评价)"
    r"[\"'*]*\s*(?:结果|等级)?\s*(?:should be|is|of|为|是|[:：=-])?"
)
FORMS = [
    re.compile(form, re.IGNORECASE)
    for form in (
        LABEL + NUMBER,
        r"(?<![\d.])(?P<score>\d+(?:\.\d+)?)\s*(?:/|out of|points out of)\s*5(?:\.0)?(?![\d.]*\d)",
        r"(?<![\d.第])(?P<score>\d+(?:\.\d+)?)\s*(?:分(?![钟之类析歧期别明清为成])|星|stars?\b|points?\b)",
        r"\ba (?:solid|strong|clear|weak|low|high) " + NUMBER,
        r"\b(?:rate|rated|give|gave|deserves|merits|earns|giving)\b[^.\n\d]{0,30}?" + NUMBER,
        r"^\W*(?P<score>\d+(?:\.\d+)?)\W*$",
    )
]
"""How a score is written, the surest form first; of several in one form the last counts."""
REASON = re.compile(r"\"reason\"\s*:\s*\"((?:[^\"\\]|\\.)*)\"")


class Scorer(EachRow):
    """Asks for a score of each row."""

    label = "scores"
    reply_tokens = 60

    def request(self, record: Record) -> Request:
        """Ask for a score."""
        chosen = self.part.settings
        text = self.part.prompt.render(asked=record.asked, answer=record.output, structured=chosen.structured)
        sent = chosen.sampling() | ({"response_format": SCORE} if chosen.structured else {})
        return Request([{"role": "user", "content": text}], sent)

    def results(self, records: Sequence[Record], replies: Sequence[Reply]) -> Iterator[Row | Dropped]:
        """Read the scores."""
        for reply in replies:
            found = read_score(reply.said)
            yield {"score": found[0], "reason": found[1]} if found else ("unread", reply.said[:EXCERPT])

    def facts(self, made: Sequence[Row]) -> dict[str, Any]:
        """Return how many rows have each score."""
        counts = Counter(row["score"] for row in made)
        return {"scores": {f"{score:g}": counts[score] for score in sorted(counts)}}


def read_score(text: str) -> tuple[float, str] | None:
    """Return (score, reason) of a reply in whatever form, None when it holds no score from 0 to 5."""
    text = STARS.sub(lambda stars: f" {len(stars[1])}/5 ", text)
    text = SPELLED.sub(lambda word: str(WORDS.index(word[0].lower()) % 6), text)
    text = SCALE.sub(" ", HALF.sub(".5", text))
    for form in FORMS:
        if found := list(form.finditer(text)):
            last = found[-1]
            value = float(last["score"])
            told = REASON.search(text)
            reason = told[1] if told else (text[: last.start()] + text[last.end() :]).strip()
            return (value, reason) if value <= HIGHEST else None
    return None
