"""Calls to the endpoint that generates: which one, at what price, and many independent ones in one pool."""

import asyncio
import os
from collections.abc import Sequence
from dataclasses import dataclass

from common.errors import UserError
from common.llm.cache import Cache
from common.llm.client import Client, Endpoint, Request, gather
from common.llm.prices import Budget, BudgetSpentError
from common.llm.reply import Reply
from common.progress import Progress

DEFAULT_MODEL = "gpt-4o-mini"
AT_ONCE = 2_000
"""Requests handed to the pool together."""


@dataclass(frozen=True)
class Limits:
    """How much and how fast may be asked."""

    budget: float | None = None
    concurrency: int = 16
    per_minute: int = 0


def endpoint_of(generator: str, *, needs_key: bool = True) -> Endpoint:
    """Return the endpoint of `model` or `model@url`."""
    name = generator or os.environ.get("GENERATOR_MODEL", DEFAULT_MODEL)
    model, _, url = name.partition("@")
    if not model:
        raise UserError(f"{name!r} names no model", "GENERATOR=gpt-4o-mini or GENERATOR=model@http://host:8000/v1")
    return Endpoint.from_environment(model, url, needs_key=needs_key)


def ask_all(endpoint: Endpoint, requests: Sequence[Request], scope: str, label: str, limits: Limits) -> list[Reply]:
    """Return the replies to all requests, those in the cache for nothing; failed ones have `error` set."""
    cache = Cache()
    budget = Budget(cache, scope, limits.budget)

    async def all_of_them() -> list[Reply]:
        replies: list[Reply] = []
        with Progress(label, len(requests)) as progress:
            async with Client(
                cache, concurrency=limits.concurrency, per_minute=limits.per_minute, budget=budget
            ) as client:
                for start in range(0, len(requests), AT_ONCE):
                    work = [client.ask(endpoint, request) for request in requests[start : start + AT_ONCE]]
                    replies += await gather(work, lambda _: progress.step())
            progress.note = f"{client.calls} calls, {client.from_cache} from the cache, ${budget.spent:.4f} spent"
        return replies

    try:
        replies = asyncio.run(all_of_them())
    except BudgetSpentError:
        raise budget_reached(budget) from None
    if replies and all(reply.error for reply in replies):
        raise UserError(f"no call to {endpoint.url} was answered: {replies[0].error}", "mend it and run the same again")
    return replies


def budget_reached(budget: Budget) -> UserError:
    """Return the error for a spent budget."""
    return UserError(
        f"BUDGET={budget.limit:g} is reached: ${budget.spent:.4f} spent on {budget.scope}; all replies are kept",
        "the same command with a larger BUDGET goes on from here, one with a smaller LIMIT or N uses what is there",
    )
