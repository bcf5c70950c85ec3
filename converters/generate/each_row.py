"""One call for each row of a task: what rewriting and scoring have in common."""

from abc import ABC, abstractmethod
from asyncio import run
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from common import consent
from common.llm.client import Request
from common.llm.quote import estimate
from common.llm.reply import Reply
from common.process import only_one
from common.progress import Progress
from converters.generate.ask import Asker, Dropped, Limits, fault
from converters.generate.parts import Part, Row, record_of, rows_of
from converters.task import Record

AT_ONCE = 2_000
"""Requests handed to the pool together."""


class EachRow(ABC):
    """A part that has one call for each row of its task."""

    label: str
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
    def request(self, record: Record) -> Request:
        """Return the call for a row."""

    @abstractmethod
    def results(self, records: Sequence[Record], replies: Sequence[Reply]) -> Iterable[Row | Dropped]:
        """Return what each usable reply makes of its row, or why it is dropped."""

    def facts(self, made: Sequence[Row]) -> dict[str, Any]:
        """Return what the card says beside the counts."""
        return {}

    def run(self, limits: Limits, *, limit: int | None = None, force: bool = False,
            dry_run: bool = False) -> tuple[int, Counter[str]] | None:  # fmt: skip
        """Write the part; return how many rows it has and how many were dropped at each step (None: a dry run)."""
        rows = [row for row in self.rows() if self.chosen(record_of(row))][:limit]
        records = [record_of(row) for row in rows]
        requests = [self.request(record) for record in records]
        asker = Asker(self.part.endpoint, self.part.folder, limits)
        quote = estimate(self.part.endpoint, requests, self.reply_tokens, asker.cache)
        print(quote)
        if dry_run:
            return None
        consent.to_pay(quote.dollars, limits.budget)
        with only_one(self.part.folder):
            self.part.begin(force)
            replies = run(self._ask(asker, requests))
            asked = [(row, record, reply) for row, record, reply in zip(rows, records, replies, strict=True) if reply]
            results = self.results([record for _, record, _ in asked], [reply for *_, reply in asked])
            made, rejected = [], []
            for (row, _, reply), result in zip(asked, results, strict=True):
                why = fault(reply) or result
                if isinstance(why, tuple):
                    rejected.append({"id": row["id"], "step": why[0], "reason": why[1], "reply": reply.text})
                else:
                    made.append({"id": row["id"], **why, "made_by": self.part.made_by(reply)})
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
