"""Calls to the endpoint that generates: which one, within which limits, and the journal of self-instruct's calls.

replies.jsonl holds what was shown and what came back, call by call; reading it again repeats a run for nothing. A round
counts when all its lines are there; what a killed process left half-written is cut off.
"""

import os
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from itertools import groupby, takewhile
from pathlib import Path

import orjson

from common.errors import UserError
from common.files import write_jsonl
from common.llm.cache import Cache
from common.llm.client import Client, Request, gather
from common.llm.default_judge import DEFAULT_MODEL
from common.llm.endpoint import Endpoint, split_model
from common.llm.prices import Budget, BudgetSpentError
from common.llm.reply import Reply
from converters.generate.answers import Dropped

EXCERPT = 200
LARGER_BUDGET = "run the same command with a larger BUDGET; paid replies are kept"


def endpoint_of(generator: str, *, needs_key: bool = True) -> Endpoint:
    """Return the endpoint of `model` or `model@url`."""
    name = generator or os.environ.get("GENERATOR_MODEL", DEFAULT_MODEL)
    model, url = split_model(name, "GENERATOR")
    return Endpoint.from_environment(model, url, needs_key=needs_key)


class Asker:
    """Asks one endpoint, all within one budget."""

    def __init__(
        self, endpoint: Endpoint, scope: Path, budget: float | None, concurrency: int, per_minute: int
    ) -> None:  # fmt: skip
        self.endpoint = endpoint
        self.cache = Cache()
        self.budget = Budget(self.cache, str(scope), budget)
        self._pace = {"concurrency": concurrency, "per_minute": per_minute}

    def connected(self) -> Client:
        """Return the connections, to be opened for `ask`."""
        return Client(self.cache, **self._pace, budget=self.budget)

    async def ask(
        self, client: Client, requests: Sequence[Request], done: Callable[[], None] = lambda: None
    ) -> list[Reply | None]:
        """Return the replies in order, those in the cache for nothing; None where the budget did not allow the call.

        A call that failed has `error` set; UserError when all of them did.
        """

        async def one(request: Request) -> Reply | None:
            try:
                return await client.ask(self.endpoint, request)
            except BudgetSpentError:
                return None
            finally:
                done()

        replies = await gather(map(one, requests))
        if replies and all(reply and reply.error for reply in replies):
            message = replies[0].error if replies[0] else ""
            raise UserError(
                f"{self.endpoint.url} answered no call: {message}", "fix that; the same command then continues"
            )
        return replies

    @property
    def over_budget(self) -> str:
        """Say that the budget is spent."""
        return f"BUDGET={self.budget.limit:g} is reached: ${self.budget.spent:.4f} spent on {self.budget.scope}"


def fault(reply: Reply) -> Dropped | None:
    """Return why a reply cannot be used whatever it says; None when it can."""
    if reply.error:
        return "failed", reply.error
    if reply.finish_reason in ("refusal", "content_filter"):
        return "refused", reply.said[:EXCERPT] or reply.finish_reason
    return None


@dataclass(frozen=True)
class Call:
    """One call of self-instruct: its number, the rows shown, and the reply."""

    number: int
    round: int
    of: int
    """Calls in the round."""
    shown: list[str]
    reply: Reply


def read_rounds(path: Path) -> list[list[Call]]:
    """Return the whole rounds of a journal, and cut off what stands behind them."""
    if not path.is_file():
        return []
    lines = path.read_bytes().splitlines(keepends=True)
    calls = [call for call in takewhile(bool, map(_call, lines)) if call]
    rounds = [list(of_round) for _, of_round in groupby(calls, key=lambda call: call.round)]
    if rounds and len(rounds[-1]) < rounds[-1][0].of:
        rounds.pop()
    if sum(map(len, rounds)) < len(lines):
        write_jsonl(path, (asdict(call) for calls in rounds for call in calls))
    return rounds


def append_round(path: Path, calls: Sequence[Call]) -> None:
    """Add a round, on disk when this returns."""
    lines = b"".join(orjson.dumps(asdict(call), option=orjson.OPT_APPEND_NEWLINE) for call in calls)
    with path.open("ab") as file:
        file.write(lines)
        file.flush()
        os.fsync(file.fileno())


def _call(line: bytes) -> Call | None:
    try:
        row = orjson.loads(line)
        return Call(**{**row, "reply": Reply(**row["reply"])}) if line.endswith(b"\n") else None
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return None
