"""Self-instruct: ask for batches of new tasks until N of them have passed every check.

Calls are made in rounds. All calls of a round show rows kept before it, so that each request follows from the seed,
the call's number and the replies before: a run that was killed asks the same again, and finds it in the journal or the
cache.
"""

import asyncio
import hashlib
import heapq
import random
from collections.abc import Iterable
from math import ceil

import orjson

from common import consent
from common.errors import UserError
from common.files import sha256_of
from common.llm.client import Client, Request
from common.llm.quote import Quote, told
from common.process import only_one
from common.progress import Progress
from converters.corpus.judged_questions import judged_questions
from converters.generate.answers import script
from converters.generate.ask import Asker, Call, append_round, read_rounds
from converters.generate.known_rows import conversion_settings
from converters.generate.parts import Part, Row, record_of, rows_of
from converters.generate.selection import Selection
from converters.generate.settings import Generating
from converters.task import Record

ITEM_TOKENS = 150
"""Tokens that a generated task usually has, for the price beforehand."""
LONGEST_EXAMPLE = 1_200
"""Characters of an example; longer rows are shown only where there are not enough others."""


class SelfInstruct:
    """One run: what it asks, what it has, and when it stops."""

    def __init__(self, part: Part, asker: Asker) -> None:
        assert isinstance(part.settings, Generating)
        self.part, self.settings, self.asker = part, part.settings, asker
        self.rows_settings = conversion_settings(part.task)
        self.real = example_pool(rows_of(part.task.name), self.settings.pool, self.settings.seed)
        if not self.real:
            raise UserError(
                f"{part.task.name} has no training rows to start from", f"make convert TASK={part.task.name}"
            )
        self.traditional = script("".join(record.prompt + record.output for _, record in self.real)) == "traditional"
        self.selection: Selection | None = None
        self.calls = self.rounds = 0
        self.stopped = ""

    def run(self, wanted: int, force: bool = False, dry_run: bool = False) -> Selection | None:
        """Make the part's rows and write them; what was kept is written even where it must stop early."""
        if dry_run:
            print(self._quote(wanted))
            return None
        if force:  # before anything is thrown away
            consent.to_pay(self._quote(wanted).dollars, self.asker.budget.limit)
        with only_one(self.part.folder):
            rows = self.rows_settings
            self.part.begin(
                force, questions=sha256_of(judged_questions(self.part.task, rows) if rows.decontaminate else [])
            )
            self.selection = selection = Selection(self.part, rows, self.real)
            if selection.compare == "prompt" and self.settings.compare == "auto":
                print(
                    "compared by instruction and input: most real instructions are the same (SET compare=instruction)"
                )
            for calls in read_rounds(self.part.folder / "replies.jsonl"):
                self._take(selection, calls)
            if len(selection.kept) < wanted:
                quote = self._quote(wanted - len(selection.kept))
                print(quote)
                consent.to_pay(0 if force else quote.dollars, self.asker.budget.limit)
                asyncio.run(self._ask_until(wanted, selection))
            if selection.kept:
                self.part.finish(
                    selection.kept[:wanted], selection.rejected, wanted=wanted, stopped=self.stopped, calls=self.calls,
                    items=selection.items, dropped=selection.dropped, compared_by=selection.compare,
                    dollars=round(self.asker.budget.spent, 6),
                )  # fmt: skip
        return selection

    async def _ask_until(self, wanted: int, selection: Selection) -> None:
        """Ask round after round; sets `stopped` when it must end before enough rows are there."""
        useless = 0
        with Progress(f"{self.part.mix}: new rows", wanted) as progress:
            progress.done = progress.before = len(selection.kept)
            async with self.asker.connected() as client:
                while len(selection.kept) < wanted and not self.stopped:
                    calls = await self._round(client, wanted - len(selection.kept))
                    added = self._take(selection, calls)
                    useless = 0 if added else useless + len(calls)
                    progress.step(added, f"{self.calls} calls, ${self.asker.budget.spent:.4f} spent")
                    if useless >= self.settings.patience:
                        counts = ", ".join(f"{step} {count:,}" for step, count in selection.dropped.items())
                        self.stopped = (
                            f"{useless} calls in a row brought no new row (dropped in all: {counts or 'nothing'}; "
                            f"the last reply began {selection.last_reply[:80]!r})"
                        )

    async def _round(self, client: Client, missing: int) -> list[Call]:
        """Ask one round. One that the budget ends is not in the journal: with a larger budget it is asked whole."""
        count = min(self.settings.at_once, ceil(missing / self.settings.items))
        asked = [self.request(self.calls + number) for number in range(count)]
        replies = await self.asker.ask(client, [request for request, _ in asked])
        calls = [
            Call(self.calls + number, self.rounds, count, shown, reply)
            for number, ((_, shown), reply) in enumerate(zip(asked, replies, strict=True))
            if reply
        ]
        if len(calls) == count:
            append_round(self.part.folder / "replies.jsonl", calls)
        else:
            self.stopped = self.asker.over_budget
        return calls

    def _take(self, selection: Selection, calls: list[Call]) -> int:
        self.calls += len(calls)
        self.rounds += 1
        return selection.take(calls)

    def request(self, call: int) -> tuple[Request, list[str]]:
        """Return what a call asks, and the ids of the rows that it shows: real ones, then generated ones."""
        chosen = self.settings
        draw = random.Random(f"{chosen.seed} {call}")
        kept = self.selection.kept if self.selection else []
        shown = draw.sample(self.real, min(chosen.real, len(self.real)))
        shown += [(row["id"], record_of(row)) for row in draw.sample(kept, min(chosen.generated, len(kept)))]
        examples = [
            orjson.dumps(
                {"instruction": record.instruction, "input": record.input or "noinput", "output": record.output}
            ).decode()
            for _, record in shown
        ]
        text = self.part.prompt.render(**chosen.told(), examples=examples, traditional=self.traditional)
        return Request([{"role": "user", "content": text}], self.part.sent(), repeat=call), [name for name, _ in shown]

    def _quote(self, missing: int) -> Quote:
        calls = ceil(missing / self.settings.items)
        out = calls * min(self.settings.max_tokens, self.settings.items * ITEM_TOKENS)
        quote = told(self.part.endpoint, calls, calls * self.request(self.calls)[0].tokens()[0], out)
        return Quote(f"{missing:,} new rows: at least {quote}; dropped items need more", quote.dollars)


def example_pool(rows: Iterable[Row], size: int, seed: int) -> list[tuple[str, Record]]:
    """Return `size` rows to draw examples from: by a hash of their ids, those of readable length first."""

    def rank(row: Row) -> tuple[int, str, str, Record]:
        record = record_of(row)
        length = len(record.prompt) + len(record.output)
        place = hashlib.sha256(f"{seed} {row['id']}".encode()).hexdigest()
        return max(0, length - LONGEST_EXAMPLE), place, str(row["id"]), record

    ranked = heapq.nsmallest(size, map(rank, rows), key=lambda found: found[:2])
    return [(name, record) for _, _, name, record in ranked]
