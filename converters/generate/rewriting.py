"""Rewriting: an LLM makes a task's reference answers helpful; the original stands beside each rewritten one.

A rewritten answer that fails a check is dropped and the row keeps its original.
"""

import re
from collections.abc import Iterator, Sequence

from common.llm.client import Request
from common.llm.reply import Reply
from converters.generate.ask import Dropped
from converters.generate.each_row import EachRow
from converters.generate.known_rows import HeldOut, conversion_settings
from converters.generate.parts import Row
from converters.generate.selection import Patterns, load_banned
from converters.generate.settings import Rewriting
from converters.task import Record
from converters.text.language import sample, shares, wrong_language

CHOICE = re.compile(r"^\s*([A-Z])\s*[.、．:：)）]")
FENCED = re.compile(r"```\w*\n(.*)\n```", re.DOTALL)
PREAMBLE = re.compile(
    r"(?:(?:sure|certainly|of course|okay)[,.!]?\s+)?(?:here(?:['’]s| is)|below is)\s[^\n:]{0,60}"
    r"\b(?:answer|response|version|rewrite)\b[^\n:]{0,30}:\s*"
    r"|[*#\s]*(?:better|improved|rewritten|revised) (?:answer|response)[*\s]*:[*\s]*"
    r"|(?:好的|当然)?[，,！!。]?(?:以下是|下面是)?[*#\s]*(?:改写|改进|优化|更好|修改)[^\n：:]{0,12}(?:回答|答案)[^\n：:]{0,6}[：:][*\s]*",
    re.IGNORECASE,
)
"""What many models put before the answer that they were asked for alone."""


class Rewriter(EachRow):
    """Asks for a better answer to each row."""

    label = "rewritten answers"
    reply_tokens = 250

    def chosen(self, record: Record) -> bool:
        """Choose short answers where only those are wanted."""
        assert isinstance(self.part.settings, Rewriting)
        below = self.part.settings.below
        return not below or len(record.output) < below

    def request(self, record: Record) -> Request:
        """Ask for a better answer."""
        text = self.part.prompt.render(asked=record.asked, answer=record.output)
        return Request([{"role": "user", "content": text}], self.part.settings.sampling())

    def results(self, records: Sequence[Record], replies: Sequence[Reply]) -> Iterator[Row | Dropped]:
        """Check the rewritten answers."""
        task, banned = self.part.task, load_banned()
        answers = [answer_of(reply.said) for reply in replies]
        texts = [f"{record.asked}\n{answer}" for record, answer in zip(records, answers, strict=True)]
        held = HeldOut(task, conversion_settings(task)).held(texts)
        for record, reply, answer, judged in zip(records, replies, answers, held, strict=True):
            cut = ("cut_off", "the reply reached max_tokens") if reply.finish_reason == "length" else None
            why = (
                cut or problem(record, answer, task.language, banned) or (("contaminated", judged) if judged else None)
            )
            yield why or {"output": answer, "original": record.output}


def answer_of(text: str) -> str:
    """Return the rewritten answer of a reply, without a fence or a preamble around it."""
    text = text.strip()
    fenced = FENCED.fullmatch(text)
    return PREAMBLE.sub("", fenced[1] if fenced else text, count=1).strip() if PREAMBLE.match(text) or fenced else text


def problem(record: Record, text: str, language: str, banned: Patterns) -> Dropped | None:
    """Return (step, reason) of the first check that a rewritten answer fails, None when it passes all."""
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
