"""The one client for OpenAI-compatible chat endpoints: one pool, retries, a cache by content, a budget.

Every call of eval and of converters' self-instruct goes through `Client.ask`. A reply that is in the cache
costs nothing; a failed call is a Reply with `error` set, for the caller to count, never an exception; what
no retry can mend (a wrong key, an unknown model) raises UserError and ends the command.
"""

import asyncio
import os
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Self, TypeVar
from urllib.parse import urlsplit

from common.errors import UserError
from common.files import sha256_of
from common.llm.cache import Cache
from common.llm.failures import ADAPTABLE, Failure, backoff, classify
from common.llm.prices import Budget, BudgetSpentError, Price, estimate_tokens, is_local, price_of
from common.llm.reply import Reply, read_completion
from common.llm.sdk import load_sdk
from common.progress import notice

OPENAI = "https://api.openai.com/v1"
TIMEOUT = 180.0
PATIENCE = 4  # times as many attempts where only the rate is too high: small accounts have a few calls a minute
TIMEOUTS = 3  # of one call, after which more waiting would not help
LOCAL_TIMEOUT = 1800.0  # a server on this machine may take its calls one after the other, the last waiting for all
Result = TypeVar("Result")


@dataclass(frozen=True)
class Endpoint:
    """A model behind a URL. `identity` names it in the cache (default: URL and model)."""

    model: str
    url: str = OPENAI
    key: str = field(default="", repr=False)
    identity: str = ""
    timeout: float = TIMEOUT

    @classmethod
    def from_environment(cls, model: str, url: str = "", *, needs_key: bool = True) -> "Endpoint":
        """Build an endpoint from OPENAI_BASE_URL and OPENAI_API_KEY, which never leave the process.

        `needs_key` is False where nothing is sent, so that a price can be seen without an account.
        """
        url = (url or os.environ.get("OPENAI_BASE_URL", "") or OPENAI).rstrip("/")
        if not url.startswith(("http://", "https://")):
            raise UserError(f"not a URL: {url!r}", "write it like http://127.0.0.1:8000/v1")
        if "@" in urlsplit(url).netloc or "?" in url:  # it would stand in files and messages
            raise UserError("a URL must hold no password and no key", "put the key into OPENAI_API_KEY")
        key = os.environ.get("OPENAI_API_KEY", "").strip()
        if not (key.isascii() and key.isprintable()):
            raise UserError("OPENAI_API_KEY holds characters that no key has", "copy it anew, without blanks or quotes")
        if not key and url == OPENAI and needs_key:
            raise UserError(f"{model} needs OPENAI_API_KEY", "export OPENAI_API_KEY=..., or name another URL")
        return cls(model, url, key, timeout=LOCAL_TIMEOUT if is_local(url) else TIMEOUT)

    @property
    def cache_name(self) -> str:
        """Return what stands for this model in cache keys."""
        return self.identity or f"{self.url} {self.model}"


@dataclass(frozen=True)
class Request:
    """One chat to be completed. `repeat` tells apart intended repetitions of the same chat."""

    messages: list[dict[str, str]]
    settings: dict[str, Any]
    repeat: int = 0

    def key(self, endpoint: Endpoint) -> str:
        """Return the key under which the reply is kept: all that decides it, and nothing else."""
        return sha256_of([endpoint.cache_name, self.messages, self.settings, self.repeat])

    def sent(self, changes: Mapping[str, str | None]) -> dict[str, Any]:
        """Return the settings as an endpoint takes them that wants some under another name, or not at all (None)."""
        renamed = [(changes.get(name, name), value) for name, value in self.settings.items()]
        return {name: value for name, value in renamed if name}

    def tokens(self) -> tuple[int, int]:
        """Estimate the tokens of input, and the most that the output can have."""
        sent = sum(estimate_tokens(message["content"]) + 4 for message in self.messages)
        return sent, int(self.settings.get("max_tokens") or 1024)


class Client:
    """A pool of at most `concurrency` calls in flight, over any number of endpoints."""

    def __init__(
        self,
        cache: Cache,
        *,
        concurrency: int = 32,
        per_minute: int = 0,
        attempts: int = 8,
        budget: Budget | None = None,
    ) -> None:
        self.cache = cache
        self.budget = budget
        self.attempts = attempts
        self.calls = 0  # attempts that were really sent
        self.from_cache = 0
        self._slots = asyncio.Semaphore(concurrency)
        self._per_minute = per_minute
        self._limiter: Any = None
        self._sdks: dict[tuple[str, str], Any] = {}
        self._reached: set[str] = set()
        self._told: set[str] = set()
        self._pending: dict[str, asyncio.Future[Reply]] = {}
        self._adapted: dict[str, dict[str, str | None]] = {}
        self._prices: dict[str, Price | None] = {}

    async def __aenter__(self) -> Self:
        if self._per_minute:
            from aiolimiter import AsyncLimiter

            self._limiter = AsyncLimiter(1, 60 / self._per_minute)
        return self

    async def __aexit__(self, *_: object) -> None:
        for sdk in self._sdks.values():
            await sdk.close()

    async def ask(self, endpoint: Endpoint, request: Request) -> Reply:
        """Return the reply to `request`, from the cache or from the endpoint.

        Raises UserError for what no retry can mend and BudgetSpentError when the cap could be passed.
        """
        key = request.key(endpoint)
        if (stored := self.cache.get(key)) is not None:
            self.from_cache += 1
            return Reply(**stored)
        if key in self._pending:  # the same call is in flight: one is enough
            self.from_cache += 1
            return await asyncio.shield(self._pending[key])
        pending = self._pending[key] = asyncio.get_running_loop().create_future()
        try:
            reply = await self._ask(endpoint, request, key)
        except BaseException as error:
            if isinstance(error, Exception):
                pending.set_exception(error)
                pending.exception()  # nobody else may be waiting to hear of it
            else:
                pending.cancel()
            raise
        else:
            pending.set_result(reply)
            return reply
        finally:
            del self._pending[key]

    async def _ask(self, endpoint: Endpoint, request: Request, key: str) -> Reply:
        """Send `request` until it is answered or given up."""
        attempt = adapted = 0
        while True:
            attempt += 1
            async with self._slots:
                outcome = await self._attempt(endpoint, request)
            if isinstance(outcome, Reply):
                outcome.attempts = attempt
                self.cache.put(key, outcome.row())
                return outcome
            if outcome.action == "adapt" and adapted < len(ADAPTABLE):
                adapted += 1
                self._adapt(endpoint, outcome)
                continue
            unreached = outcome.kind == "unreachable" and endpoint.url not in self._reached
            if unreached and attempt >= 3:
                raise UserError(
                    f"nothing answers at {endpoint.url}: {outcome.message}", "check the URL and the network"
                )
            most = {"timeout": min(self.attempts, TIMEOUTS), "http 429": PATIENCE * self.attempts}
            if outcome.action != "retry" or attempt >= most.get(outcome.kind, self.attempts):
                return Reply(error=f"{outcome.kind}: {outcome.message}", attempts=attempt)
            if outcome.kind not in self._told:
                self._told.add(outcome.kind)
                notice(f"{endpoint.url}: {outcome.kind}: {outcome.message}; such calls are tried again")
            await asyncio.sleep(backoff(attempt, outcome))

    async def _attempt(self, endpoint: Endpoint, request: Request) -> Reply | Failure:
        """Send `request` once."""
        if endpoint.cache_name not in self._prices:
            self._prices[endpoint.cache_name] = price_of(endpoint.model, endpoint.url)
        price = self._prices[endpoint.cache_name]
        tokens_in, tokens_out = request.tokens()
        reserved = await self.budget.reserve(endpoint.model, price, tokens_in, tokens_out) if self.budget else 0.0
        dollars = reserved  # an interrupted call may be billed
        try:
            if self._limiter:
                await self._limiter.acquire()
            self.calls += 1
            try:
                reply = await self._send(endpoint, request)
                dollars = price.of(reply.tokens_in, reply.tokens_out) if price else 0.0
                self._reached.add(endpoint.url)
                return reply
            except Exception as error:
                dollars = 0.0
                failure = classify(error, endpoint.url, endpoint.model, endpoint.key)
                dollars = reserved if failure.billed else 0.0
            if failure.kind != "unreachable":
                self._reached.add(endpoint.url)
            return Reply(finish_reason="content_filter") if failure.action == "filtered" else failure
        finally:
            if self.budget:
                self.budget.settle(endpoint.model, reserved, dollars)

    async def _send(self, endpoint: Endpoint, request: Request) -> Reply:
        changes = self.changes(endpoint)
        raw = await self._sdk(endpoint).chat.completions.with_raw_response.create(
            model=endpoint.model, messages=request.messages, timeout=endpoint.timeout, **request.sent(changes)
        )
        reply = read_completion(raw.content)
        reply.left_out = [name for name, new in changes.items() if new is None and name in request.settings]
        return reply

    def _sdk(self, endpoint: Endpoint) -> Any:
        """Return the SDK's client for a URL and key: one, so that its connections are used again."""
        place = (endpoint.url, endpoint.key)
        if place not in self._sdks:
            openai = load_sdk()
            # A proxy from the environment is for the world outside, not for a server on this machine.
            transport = openai.DefaultAsyncHttpx2Client(trust_env=False) if is_local(endpoint.url) else None
            # The SDK's own retries are off: each attempt has to be counted against the budget.
            self._sdks[place] = openai.AsyncOpenAI(
                api_key=endpoint.key or "none", base_url=endpoint.url, max_retries=0, http_client=transport
            )
        return self._sdks[place]

    def changes(self, endpoint: Endpoint) -> dict[str, str | None]:
        """Return which settings an endpoint refused so far, and how the same is said to it (None: not at all)."""
        return self._adapted.get(endpoint.cache_name, {})

    def _adapt(self, endpoint: Endpoint, failure: Failure) -> None:
        """Remember that an endpoint refuses a setting, and how the same is said to it."""
        changes = self._adapted.setdefault(endpoint.cache_name, {})
        changes[failure.parameter] = ADAPTABLE.get(failure.parameter)


async def gather(work: Iterable[Awaitable[Result]], done: Callable[[Result], None] = lambda _: None) -> list[Result]:
    """Run all of `work` at once and return the results in order; the first exception cancels the rest.

    Only a spent budget lets the calls in flight end first: they are paid for.
    """

    async def one(item: Awaitable[Result]) -> Result:
        result = await item
        done(result)
        return result

    tasks = [asyncio.ensure_future(one(item)) for item in work]
    try:
        return await asyncio.gather(*tasks)
    except BudgetSpentError:
        await asyncio.gather(*tasks, return_exceptions=True)
        raise
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
