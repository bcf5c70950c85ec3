"""Self-instruct: ask for batches of new tasks until N of them have passed every filter.

Calls are made in rounds. All calls of a round show rows kept before it, so that each request follows from the seed,
the call's number and the replies before: a run that was killed asks the same again, and finds it in the journal or the
cache.
"""

import asyncio
from math import ceil

from common.errors import UserError
from common.files import sha256_of
from common.llm.cache import Cache
from common.llm.client import Client, Request, gather
from common.llm.prices import Budget, BudgetSpentError
from common.llm.quote import told
from common.llm.reply import Reply
from common.process import only_one
from common.progress import Progress
from converters.corpus.judged_questions import judged_questions
from converters.generate.ask import Limits, budget_reached
from converters.generate.base import card_of, rows_of
from converters.generate.journal import Call, append_round, read_rounds
from converters.generate.parts import Part
from converters.generate.prompts import TASKS
from converters.generate.seeds import pool, shown_in
from converters.generate.selection import STEPS, Selection
from converters.generate.settings import Generating
from converters.settings import GENERAL, Settings
from converters.task import Task

ITEM_TOKENS = 150
"""Tokens that a generated task usually has, for the price beforehand."""


class SelfInstruct:
    """One run: what it asks, what it has, and when it stops."""

    def __init__(self, part: Part, task: Task, settings: Generating, limits: Limits) -> None:
        self.part, self.settings, self.limits = part, settings, limits
        made_with = card_of(part.task)["made_from"]["settings"]
        self.rows_settings = Settings(**{key: value for key, value in made_with.items() if key in GENERAL})
        self.task = task
        self.real = pool(rows_of(part.task), settings.pool, settings.seed)
        if not self.real:
            raise UserError(f"{part.task} has no training rows to start from", f"make convert TASK={part.task}")
        self.budget = Budget(Cache(), str(part.folder), limits.budget)
        self.calls = 0
        self.rounds = 0
        self.stopped = ""

    def run(self, wanted: int, force: bool = False, dry_run: bool = False) -> Selection | None:
        """Make the part's rows and write them; what was kept is written even where it must stop early."""
        if dry_run:
            print(self._estimate(wanted))
            return None
        with only_one(self.part.folder):
            questions = judged_questions(self.task, self.rows_settings) if self.rows_settings.decontaminate else []
            self.part.begin(force, questions=sha256_of(questions))
            self.selection = Selection(self.part, self.task, self.settings, self.rows_settings, self.real)
            if self.selection.compare == "prompt" and self.settings.compare == "auto":
                print(
                    "compared by instruction and input: most real instructions are the same (SET compare=instruction)"
                )
            for calls in read_rounds(self.part.folder / "replies.jsonl"):
                self._take(calls)
            kept = self.selection.kept
            if len(kept) < wanted:
                print(self._estimate(wanted - len(kept)))
                asyncio.run(self._ask_until(wanted))
            if kept:
                self._write(wanted)
        return self.selection

    async def _ask_until(self, wanted: int) -> None:
        """Ask round after round; sets `stopped` when it must end before enough rows are there."""
        useless = 0
        kept = self.selection.kept
        with Progress(f"{self.part.task}+{self.part.name}: new rows", wanted) as progress:
            progress.done = progress.before = len(kept)
            async with Client(
                self.budget.cache,
                concurrency=self.limits.concurrency,
                per_minute=self.limits.per_minute,
                budget=self.budget,
            ) as client:
                while len(kept) < wanted:
                    try:
                        calls = await self._round(client, wanted - len(kept))
                    except BudgetSpentError:
                        self.stopped = budget_reached(self.budget).message
                        return
                    append_round(self.part.folder / "replies.jsonl", calls)
                    added = self._take(calls)
                    useless = 0 if added else useless + len(calls)
                    progress.step(added, f"{self.calls} calls, ${self.budget.spent:.4f} spent")
                    if useless >= self.settings.patience:
                        self.stopped = f"{useless} calls in a row brought no new row ({self._told_dropped()})"
                        return

    async def _round(self, client: Client, missing: int) -> list[Call]:
        count = min(self.settings.at_once, ceil(missing / self.settings.items))
        asked = [self.request(self.calls + number) for number in range(count)]
        replies: list[Reply] = await gather(client.ask(self.part.endpoint, request) for request, _ in asked)
        if all(reply.error for reply in replies):
            raise UserError(
                f"no call to {self.part.endpoint.url} was answered: {replies[0].error}",
                "the same command goes on from here",
            )
        return [
            Call(self.calls + number, self.rounds, count, shown, reply)
            for number, ((_, shown), reply) in enumerate(zip(asked, replies, strict=True))
        ]

    def _take(self, calls: list[Call]) -> int:
        self.calls += len(calls)
        self.rounds += 1
        return self.selection.take(calls)

    def request(self, call: int) -> tuple[Request, list[str]]:
        """Return what a call asks, and the ids of the rows that it shows."""
        chosen = self.settings
        kept = self.selection.kept if hasattr(self, "selection") else []
        names, examples = shown_in(call, self.real, kept, (chosen.real, chosen.generated), chosen.seed)
        text = self.part.prompt.render(
            count=chosen.items, words=chosen.words, structured=chosen.structured, examples=examples
        )
        sent = chosen.sampling() | ({"response_format": TASKS} if chosen.structured else {})
        return Request([{"role": "user", "content": text}], sent, repeat=call), names

    def _estimate(self, missing: int) -> str:
        calls = ceil(missing / self.settings.items)
        out = calls * min(self.settings.max_tokens, self.settings.items * ITEM_TOKENS)
        cost = told(self.part.endpoint, calls, calls * self.request(self.calls)[0].tokens()[0], out)
        return f"{missing:,} new rows: at least {cost}; dropped items need more"

    def _told_dropped(self) -> str:
        dropped = self.selection.dropped
        told = ", ".join(f"{step} {dropped[step]:,}" for step in STEPS if dropped[step]) or "nothing dropped"
        return f"dropped in all: {told}; the last reply began {self.selection.last_reply[:80]!r}"

    def _write(self, wanted: int) -> None:
        found = self.selection
        self.part.finish(
            found.kept[:wanted],
            found.rejected,
            model=self.part.endpoint.model,
            wanted=wanted,
            stopped=self.stopped,
            calls=self.calls,
            items=found.items,
            dropped={step: found.dropped[step] for step in STEPS},
            compared_by=found.compare,
            dollars=round(self.budget.spent, 6),
        )
