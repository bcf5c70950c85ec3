"""Rewriting: an LLM makes a task's reference answers helpful; the original stands beside each rewritten one.

A rewritten answer that fails a check is dropped and the row keeps its original.
"""

import re
from collections.abc import Iterator, Sequence

from rapidfuzz.fuzz import ratio

from common.llm.client import Request
from common.llm.reply import Reply
from converters.generate.answers import folded, no_answer, repetition, script, unframed
from converters.generate.ask import Dropped
from converters.generate.each_row import EachRow
from converters.generate.facts import added, choice, has_options, is_label, lost
from converters.generate.known_rows import conversion_settings, held_out
from converters.generate.parts import Row
from converters.generate.settings import Rewriting
from converters.task import Record
from converters.text.language import sample, shares, wrong_language

FAIR_LENGTH = 40
SAME = 97
"""Percent of the letters that a copy has in common with the original."""
SHORTEST = 0.35
"""An answer of at least FAIR_LENGTH characters keeps this share of its length."""
LETTERS_ALONE = re.compile(r"(?:答案|选|answer)?\W*(?:[A-H]\W*)+", re.IGNORECASE)


class Rewriter(EachRow):
    """Asks for a better answer to each row."""

    label = "rewritten answers"
    reply_tokens = 250

    def chosen(self, record: Record) -> bool:
        """Choose short answers where only those are wanted; a label that the question wants cannot be put better."""
        assert isinstance(self.part.settings, Rewriting)
        below = self.part.settings.below
        return (not below or len(record.output) < below) and not is_label(record.asked, record.output)

    def request(self, record: Record) -> Request:
        """Ask for a better answer."""
        traditional = script(record.asked + record.output) == "traditional"
        text = self.part.prompt.render(asked=record.asked, answer=record.output, traditional=traditional)
        return Request([{"role": "user", "content": text}], self.part.settings.sampling())

    def results(self, records: Sequence[Record], replies: Sequence[Reply]) -> Iterator[Row | Dropped]:
        """Check the rewritten answers."""
        task = self.part.task
        answers = [unframed(reply.said) for reply in replies]
        texts = [f"{record.asked}\n{answer}" for record, answer in zip(records, answers, strict=True)]
        held = held_out(task, conversion_settings(task)).held(texts)
        for record, reply, answer, judged in zip(records, replies, answers, held, strict=True):
            cut = ("cut_off", "the reply reached max_tokens") if reply.finish_reason == "length" else None
            why = (
                cut
                or checked(record.asked, record.output, answer, task.language)
                or (("contaminated", judged) if judged else None)
            )
            yield why or {"output": answer, "original": record.output}


def checked(question: str, original: str, text: str, language: str) -> Dropped | None:
    """Return (step, reason) of the first check that a rewritten answer fails against the original, None when none."""
    if not text:
        return "no_content", "no answer"
    if max(ratio(folded(text), folded(known)) for known in (original, unframed(original))) >= SAME:
        return "unchanged", "the answer is the same"
    if is_label(question, original):
        return "label", "the question wants the label that the original is"
    if why := no_answer(text):
        return why
    if same := repetition(text):
        return "repetition", f"says {same!r} over and over"
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
