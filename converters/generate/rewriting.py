"""Rewriting: an LLM makes a task's reference answers helpful; the original stands beside each rewritten one.

A rewritten answer that fails a check is dropped and the row keeps its original.
"""

import re
from collections import Counter
from typing import Any

from common.llm.cache import Cache
from common.llm.client import Request
from common.llm.quote import estimate
from common.llm.reply import Reply
from common.process import only_one
from converters.corpus.contamination import Index
from converters.corpus.judged_questions import judged_questions
from converters.generate.ask import Limits, ask_all
from converters.generate.base import Row, record_of, rows_of
from converters.generate.filters import Patterns, load_banned
from converters.generate.parts import Part
from converters.generate.settings import Rewriting
from converters.settings import build_settings
from converters.task import Record, Task
from converters.text.language import sample, shares, wrong_language
from converters.text.sketch import fold, gram_sizes, grams

OUT_TOKENS = 250
"""Tokens that a rewritten answer usually has, for the price beforehand."""
CHOICE = re.compile(r"^\s*([A-Z])\s*[.、．:：)）]")
STEPS = ("failed", "refused", "cut_off", "empty", "unchanged", "language", "choice", "contaminated")
FENCED = re.compile(r"```\w*\n(.*)\n```", re.DOTALL)
PREAMBLE = re.compile(
    r"(?:(?:sure|certainly|of course|okay)[,.!]?\s+)?(?:here(?:['’]s| is)|below is)\s[^\n:]{0,60}"
    r"\b(?:answer|response|version|rewrite)\b[^\n:]{0,30}:\s*"
    r"|[*#\s]*(?:better|improved|rewritten|revised) (?:answer|response)[*\s]*:[*\s]*"
    r"|(?:好的|当然)?[，,！!。]?(?:以下是|下面是)?[*#\s]*(?:改写|改进|优化|更好|修改)[^\n：:]{0,12}(?:回答|答案)[^\n：:]{0,6}[：:][*\s]*",
    re.IGNORECASE,
)
"""What many models put before the answer that they were asked for alone."""


def rewrite(part: Part, task: Task, settings: Rewriting, limits: Limits, *, limit: int | None = None,
            force: bool = False, dry_run: bool = False) -> Counter[str]:  # fmt: skip
    """Write the part with the rewritten answers; return how many rows were rewritten, and dropped by step."""
    rows = [row for row in rows_of(part.task) if not settings.below or len(record_of(row).output) < settings.below]
    rows = rows[:limit]
    records = [record_of(row) for row in rows]
    asked = [_request(part, settings, record) for record in records]
    print(estimate(part.endpoint, asked, OUT_TOKENS, Cache()))
    counts: Counter[str] = Counter()
    if dry_run:
        return counts
    with only_one(part.folder):
        part.begin(force)
        replies = ask_all(part.endpoint, asked, str(part.folder), "rewritten answers", limits)
        held = _judged(task, records, replies)
        banned = load_banned()
        made, rejected = [], []
        for row, record, reply, judged in zip(rows, records, replies, held, strict=True):
            why = problem(record, reply, task.language, banned) or (("contaminated", judged) if judged else None)
            counts[why[0] if why else "rewritten"] += 1
            if why:
                rejected.append({"id": row["id"], "step": why[0], "reason": why[1], "reply": reply.text})
            else:
                made.append(_made(part, row, record, reply))
        dropped = {step: counts[step] for step in STEPS}
        part.finish(made, rejected, model=part.endpoint.model, calls=len(asked), dropped=dropped)
    return counts


def answer_of(reply: Reply) -> str:
    """Return the rewritten answer of a reply, without a fence or a preamble around it."""
    text = reply.said.strip()
    fenced = FENCED.fullmatch(text)
    return PREAMBLE.sub("", fenced[1] if fenced else text, count=1).strip() if PREAMBLE.match(text) or fenced else text


def problem(record: Record, reply: Reply, language: str, banned: Patterns) -> tuple[str, str] | None:
    """Return (step, reason) of the first check that a rewritten answer fails, None when it passes all."""
    text = answer_of(reply)
    if reply.error:
        return "failed", reply.error
    if reply.finish_reason in ("refusal", "content_filter"):
        return "refused", text[:200] or reply.finish_reason
    if reply.finish_reason == "length":
        return "cut_off", "the reply reached max_tokens"
    if not text:
        return "empty", "no answer"
    if text == record.output.strip():
        return "unchanged", "the answer is the same"
    if found := banned["answered"].search(text):
        return "refused", f"{found[0]!r} in the answer"
    if why := wrong_language(text, shares(sample("", text)), language):
        return "language", f"not {language}: {why}"
    before, after = CHOICE.match(record.output), CHOICE.match(text)
    if before and (after is None or after[1] != before[1]):
        return "choice", f"the answer was {before[1]}, is {after[1] if after else 'no letter'}"
    return None


def _request(part: Part, settings: Rewriting, record: Record) -> Request:
    text = part.prompt.render(asked=record.asked, answer=record.output)
    return Request([{"role": "user", "content": text}], settings.sampling())


def _made(part: Part, row: Row, record: Record, reply: Reply) -> dict[str, Any]:
    return {
        "id": row["id"], "output": answer_of(reply), "original": record.output, "made_by": part.made_by(reply),
    }  # fmt: skip


def _judged(task: Task, records: list[Record], replies: list[Reply]) -> list[str]:
    """Return for each reply what it holds of a judged question's reference answer, or ""."""
    settings, _ = build_settings(task, {})
    questions = judged_questions(task, settings)
    found = [""] * len(replies)
    if questions and replies:
        size = gram_sizes(task.language)[1]
        texts = [f"{record.asked}\n{answer_of(reply)}" for record, reply in zip(records, replies, strict=True)]
        for number, name, share in Index.build(questions, size).find(grams(*fold(texts), size), settings.overlap):
            found[number] = f"holds {share:.0%} of {name}"
    return found
