"""One call for each row of a task: rewriting and scoring its rows, and replay of general instructions."""

import hashlib
from abc import ABC, abstractmethod
from asyncio import run
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import Any

from common import consent
from common.llm.client import Request
from common.llm.quote import estimate
from common.llm.reply import Reply
from common.process import only_one
from common.progress import Progress
from converters.generate.answers import Dropped, no_answer, script, unframed
from converters.generate.ask import EXCERPT, Asker, fault
from converters.generate.facts import is_label, problem
from converters.generate.known_rows import Passages, conversion_settings, held_out
from converters.generate.parts import Part, Row, record_of, rows_of
from converters.generate.read_replies import read_score
from converters.generate.settings import Rewriting
from converters.task import Record

AT_ONCE = 2_000
"""Requests handed to the pool together."""


class EachRow(ABC):
    """A part that has one call for each row of its task."""

    label: str
    made: str
    """What its rows are called."""
    amount = ""
    """The amount that its mix is proposed with."""
    reply_tokens: int
    """Tokens that a reply usually has, for the price beforehand."""

    def __init__(self, part: Part) -> None:
        self.part = part
        self.stopped = ""
        """Why the rows after some row were not asked for."""

    def rows(self) -> Iterable[Row]:
        """Return what is asked for, row by row: the task's own rows."""
        return rows_of(self.part.task.name)

    def chosen(self, record: Record) -> bool:
        """Tell whether a row is asked for at all."""
        return True

    @abstractmethod
    def asked(self, record: Record) -> str:
        """Return what the call for a row says."""

    @abstractmethod
    def result(self, record: Record, reply: Reply) -> Row | Dropped:
        """Return what a usable reply makes of its row, or why it is dropped."""

    def facts(self, made: Sequence[Row]) -> dict[str, Any]:
        """Return what the card says beside the counts."""
        return {}

    def run(
        self, asker: Asker, *, limit: int | None, force: bool, dry_run: bool
    ) -> tuple[int, Counter[str]] | None:  # fmt: skip
        """Write the part; return how many rows it has and how many were dropped at each step (None: a dry run)."""
        rows = [row for row in self.rows() if self.chosen(record_of(row))][:limit]
        records = [record_of(row) for row in rows]
        sent = self.part.sent()
        requests = [Request([{"role": "user", "content": self.asked(record)}], sent) for record in records]
        quote = estimate(self.part.endpoint, requests, self.reply_tokens, asker.cache)
        print(quote)
        if dry_run:
            return None
        consent.to_pay(quote.dollars, asker.budget.limit)
        with only_one(self.part.folder):
            self.part.begin(force)
            replies = run(self._ask(asker, requests))
            made, rejected = [], []
            for row, record, reply in zip(rows, records, replies, strict=True):
                if reply is None:
                    continue
                found = fault(reply) or self.result(record, reply)
                if isinstance(found, tuple):
                    rejected.append({"id": row["id"], "step": found[0], "reason": found[1], "reply": reply.text})
                else:
                    made.append({"id": row["id"], **found, "made_by": self.part.made_by(reply)})
            dropped = Counter(row["step"] for row in rejected)
            if None in replies:
                self.stopped = f"{asker.over_budget}; {replies.count(None):,} rows were not asked for"
            self.part.finish(made, rejected, calls=len(made) + len(rejected), dropped=dict(sorted(dropped.items())),
                             stopped=self.stopped, **self.facts(made))  # fmt: skip
        return len(made), dropped

    async def _ask(self, asker: Asker, requests: Sequence[Request]) -> list[Reply | None]:
        replies: list[Reply | None] = []
        with Progress(self.label, len(requests)) as progress:
            async with asker.connected() as client:
                for start in range(0, len(requests), AT_ONCE):
                    replies += await asker.ask(client, requests[start : start + AT_ONCE], progress.step)
            progress.note = f"{client.calls} calls, {client.from_cache} from the cache, ${asker.budget.spent:.4f} spent"
        return replies


def cut_off(reply: Reply) -> Dropped | None:
    """Return that a reply is not whole."""
    return ("cut_off", "the reply reached max_tokens") if reply.finish_reason == "length" else None


class Rewriter(EachRow):
    """An LLM makes a task's reference answers helpful; the original stands beside each rewritten one.

    A rewritten answer that fails a check is dropped and the row keeps its original.
    """

    label = made = "rewritten answers"
    reply_tokens = 250

    @cached_property
    def _held_out(self) -> Passages:
        return held_out(self.part.task, conversion_settings(self.part.task))

    def chosen(self, record: Record) -> bool:
        """Choose short answers where only those are wanted; a label that the question wants cannot be put better."""
        assert isinstance(self.part.settings, Rewriting)
        below = self.part.settings.below
        return (not below or len(record.output) < below) and not is_label(record.asked, record.output)

    def asked(self, record: Record) -> str:
        """Ask for a better answer."""
        traditional = script(record.asked + record.output) == "traditional"
        return self.part.prompt.render(asked=record.asked, answer=record.output, traditional=traditional)

    def result(self, record: Record, reply: Reply) -> Row | Dropped:
        """Check the rewritten answer."""
        answer = unframed(reply.said)
        if why := cut_off(reply) or problem(record.asked, record.output, answer, self.part.task.language):
            return why
        if held := self._held_out.held([f"{record.asked}\n{answer}"])[0]:
            return "contaminated", held
        return {"output": answer, "original": record.output}


class Scorer(EachRow):
    """An LLM rates each row from 0 to 5, as AlpaGasus did, so that the better ones can be selected."""

    label, made, amount = "scores", "scored rows", "@4"
    reply_tokens = 60

    def asked(self, record: Record) -> str:
        """Ask for a score."""
        structured = self.part.settings.structured
        return self.part.prompt.render(asked=record.asked, answer=record.output, structured=structured)

    def result(self, record: Record, reply: Reply) -> Row | Dropped:
        """Read the score."""
        found = read_score(reply.said)
        return {"score": found[0], "reason": found[1]} if found else ("no_score", reply.said[:EXCERPT])

    def facts(self, made: Sequence[Row]) -> dict[str, Any]:
        """Return how many rows have each score."""
        counts = Counter(row["score"] for row in made)
        return {"scores": {f"{score:g}": counts[score] for score in sorted(counts)}}


class Replayer(EachRow):
    """A model's own answers to general instructions, so that it keeps what it could do while it learns a domain.

    The answers are those of the model that will be trained, served as it is. The instructions are the lines of
    prompts/replay.*.jinja.
    """

    label, made, amount = "answers to general instructions", "answers of the model's own", "@0.1"
    reply_tokens = 300

    def rows(self) -> list[Row]:
        """Return the instructions, mixed, and in the same order everywhere."""
        lines = {line.strip() for line in self.part.prompt.render().splitlines() if line.strip()}
        named = sorted((hashlib.sha256(line.encode()).hexdigest()[:12], line) for line in lines)
        return [{"id": f"replay-{name}", "instruction": line, "input": "", "output": ""} for name, line in named]

    def asked(self, record: Record) -> str:
        """Ask an instruction as it stands, as a user would."""
        return record.instruction

    def result(self, record: Record, reply: Reply) -> Row | Dropped:
        """Keep an answer that is whole, without the thought before it."""
        why = cut_off(reply) or no_answer(reply.said)
        return why or {"instruction": record.instruction, "input": "", "output": reply.said.strip()}


WORKS: dict[str, type[EachRow]] = {"rewritten": Rewriter, "scored": Scorer, "replay": Replayer}
"""Each kind of part that has one call for a row."""
