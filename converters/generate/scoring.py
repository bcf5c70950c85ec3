"""Scoring: an LLM rates each row from 0 to 5, as AlpaGasus did, so that the better ones can be selected."""

import json
import re
from collections import Counter

from common.llm.cache import Cache
from common.llm.client import Request
from common.llm.quote import estimate
from common.llm.reply import Reply
from common.process import only_one
from converters.generate.ask import Limits, ask_all
from converters.generate.base import record_of, rows_of
from converters.generate.parts import Part
from converters.generate.prompts import SCORE
from converters.generate.settings import Scoring
from converters.task import Record

OUT_TOKENS = 60
"""Tokens that a score with its reason usually has, for the price beforehand."""
HIGHEST = 5
LAST_LINE = re.compile(
    r"(?:^|\n)[\s*#]*(?:score|评分|分数)\**\s*[:：]\s*\**\s*(\d(?:\.\d+)?)\s*(?:/\s*5|分)?\s*[*.。]*\s*$", re.I
)
NUMBER = re.compile(r"\s*(\d(?:\.\d+)?)\s*(?:/\s*5|分)?\s*")
STEPS = ("failed", "refused", "unread")


def score(part: Part, settings: Scoring, limits: Limits, *, limit: int | None = None, force: bool = False,
          dry_run: bool = False) -> Counter[str]:  # fmt: skip
    """Write the part with the scores; return how many rows have each score, and how many were dropped by step."""
    rows = list(rows_of(part.task))[:limit]
    asked = [_request(part, settings, record_of(row)) for row in rows]
    print(estimate(part.endpoint, asked, OUT_TOKENS, Cache()))
    counts: Counter[str] = Counter()
    if dry_run:
        return counts
    with only_one(part.folder):
        part.begin(force)
        replies = ask_all(part.endpoint, asked, str(part.folder), "scores", limits)
        made, rejected = [], []
        for row, reply in zip(rows, replies, strict=True):
            found = read_score(reply)
            if isinstance(found, str):
                counts[found] += 1
                rejected.append({"id": row["id"], "step": found, "reason": reply.error or reply.said[:200]})
                continue
            value, reason = found
            counts[f"score {value:g}"] += 1
            made.append({"id": row["id"], "score": value, "reason": reason, "made_by": part.made_by(reply)})
        part.finish(
            made, rejected, model=part.endpoint.model, calls=len(asked),
            dropped={step: counts[step] for step in STEPS},
            scores={name.removeprefix("score "): count for name, count in sorted(counts.items()) if name not in STEPS},
        )  # fmt: skip
    return counts


def read_score(reply: Reply) -> tuple[float, str] | str:
    """Return (score, reason) of a reply, or the step at which it is dropped."""
    if reply.error:
        return "failed"
    if reply.finish_reason in ("refusal", "content_filter"):
        return "refused"
    text = reply.said.strip().removeprefix("```json").removeprefix("```").removesuffix("```").strip()
    if text.startswith("{"):
        try:
            found = json.loads(text, strict=False)
        except json.JSONDecodeError:
            return "unread"
        value, reason = found.get("score"), str(found.get("reason", ""))
        if isinstance(value, str) and (told := NUMBER.fullmatch(value)):
            value = float(told[1])
        if isinstance(value, bool) or not isinstance(value, int | float):
            return "unread"
    else:
        last = LAST_LINE.search(text)
        if last is None:
            return "unread"
        value, reason = float(last[1]), text[: last.start()].strip()
    return (float(value), reason) if 0 <= value <= HIGHEST else "unread"


def _request(part: Part, settings: Scoring, record: Record) -> Request:
    text = part.prompt.render(asked=record.asked, answer=record.output, structured=settings.structured)
    sent = settings.sampling() | ({"response_format": SCORE} if settings.structured else {})
    return Request([{"role": "user", "content": text}], sent)
