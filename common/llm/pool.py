"""Many calls in one pool, within one budget."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from common.errors import UserError
from common.llm.cache import Cache
from common.llm.client import Client, Request, gather
from common.llm.endpoint import Endpoint
from common.llm.prices import Budget, BudgetSpentError
from common.llm.reply import Reply
from common.progress import Progress

AT_ONCE = 32
Result = TypeVar("Result")


@dataclass(frozen=True)
class Limits:
    """How many calls may be in flight (0: AT_ONCE) and a minute (0: no limit), and how many US dollars may be spent."""

    concurrency: int = 0
    per_minute: int = 0
    budget: float | None = None


@dataclass(frozen=True)
class Pool:
    """Where calls are made together; what is spent is booked on a folder."""

    cache: Cache
    folder: Path
    limits: Limits

    def ask_all(self, label: str, endpoint: Endpoint, requests: Sequence[Request]) -> list[Reply]:
        """Return an endpoint's replies to all requests; a failed call is a Reply with its error."""
        return self.run(label, lambda client: [client.ask(endpoint, request) for request in requests])

    def run(self, label: str, work: Callable[[Client], Sequence[Awaitable[Result]]]) -> list[Result]:
        """Return the results of `work`, in its order; UserError when the budget ends it."""
        budget = Budget(self.cache, str(self.folder.resolve()), self.limits.budget)
        try:
            return asyncio.run(self._run(label, work, budget))
        except BudgetSpentError:
            raise UserError(
                f"BUDGET={budget.limit:g} is reached: ${budget.spent:.4f} spent on {self.folder}; all replies are kept",
                "the same command with a larger BUDGET goes on from here",
            ) from None

    async def _run(
        self, label: str, work: Callable[[Client], Sequence[Awaitable[Result]]], budget: Budget
    ) -> list[Result]:
        at_once, per_minute = self.limits.concurrency or AT_ONCE, self.limits.per_minute
        async with Client(self.cache, concurrency=at_once, per_minute=per_minute, budget=budget) as client:
            pieces = work(client)
            with Progress(label, len(pieces)) as progress:

                def step(_: object) -> None:
                    known = client.from_cache / max(1, client.from_cache + client.calls)
                    progress.before = round((progress.done + 1) * known)  # replies from the cache took no time
                    progress.step()

                results = await gather(pieces, step)
                spent = f", ${budget.spent:.4f} spent" if budget.spent else ""
                progress.note = f"{client.calls} calls, {client.from_cache} from the cache{spent}"
        return results
