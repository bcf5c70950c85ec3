"""Scoring: an LLM rates each row from 0 to 5, as AlpaGasus did, so that the better ones can be selected."""

import json
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
LAST_LINE = re.compile(
    r"(?:^|\n)[\s*#]*(?:score|评分|分数)\**\s*[:：]\s*\**\s*(\d(?:\.\d+)?)\s*(?:/\s*5|分)?\s*[*.。]*\s*$", re.I
)
NUMBER = re.compile(r"\s*(\d(?:\.\d+)?)\s*(?:/\s*5|分)?\s*")


class Scorer(EachRow):
    """Asks for a score of each row."""

    label = "scores"
    reply_tokens = 60

    def chosen(self, record: Record) -> bool:
        """Every row is scored."""
        return True

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
    """Return (score, reason) of a reply, None when it holds no score."""
    text = text.strip().removeprefix("```json").removeprefix("```").removesuffix("```").strip()
    if text.startswith("{"):
        try:
            found = json.loads(text, strict=False)
        except json.JSONDecodeError:
            return None
        value, reason = found.get("score"), str(found.get("reason", ""))
        if isinstance(value, str) and (told := NUMBER.fullmatch(value)):
            value = float(told[1])
        if isinstance(value, bool) or not isinstance(value, int | float):
            return None
    else:
        last = LAST_LINE.search(text)
        if last is None:
            return None
        value, reason = float(last[1]), text[: last.start()].strip()
    return (float(value), reason) if 0 <= value <= HIGHEST else None
