"""The one client for OpenAI-compatible chat endpoints: one pool, retries, a cache by content, a budget.

Every call of eval and of converters' self-instruct goes through `Client.ask`. A reply that is in the cache
costs nothing; a failed call is a Reply with `error` set, for the caller to count, never an exception; what
no retry can fix (a wrong key, an unknown model) raises UserError and ends the command.
"""

import asyncio
import gc
import sys
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import asdict, dataclass, replace
from datetime import date
from types import ModuleType
from typing import Any, Self, TypeVar

import orjson

from common import proxies
from common.errors import UserError
from common.files import sha256_of
from common.llm.cache import Cache
from common.llm.endpoint import Endpoint
from common.llm.failures import Failure, Habits, backoff, classify
from common.llm.prices import Budget, BudgetSpentError, estimate_tokens, is_local, price_of
from common.llm.reply import CUT_OFF, Reply, read_completion
from common.progress import notice

CONNECT_SECONDS = 10.0
MARGIN = 1.5  # times as many tokens of input are reserved as are estimated
PATIENCE = 4  # times as many attempts where only the rate is too high: small accounts have a few calls a minute
TRIES = {"timeout": 3, "malformed": 2, "error": 2}
"""Attempts at most after failures that more waiting would not help; a malformed reply is paid for."""
MOST_ADAPTED = 8  # settings that one call may be refused before it is given up
Result = TypeVar("Result")


@dataclass(frozen=True)
class Request:
    """One chat to be completed. `repeat` tells apart intended repetitions of the same chat."""

    messages: list[dict[str, str]]
    settings: dict[str, Any]
    repeat: int = 0
    room: int = 0  # tokens that max_tokens grows by where the model was found to think, or was cut off
    most: int = 0  # tokens of output that the model's context leaves to this prompt; 0: not known

    def key(self, endpoint: Endpoint) -> str:
        """Return the key under which the reply is kept: all that decides it, and nothing else."""
        decides = [endpoint.cache_name, self.messages, self.settings, self.repeat]
        return sha256_of([*decides, endpoint.extra] if endpoint.extra else decides)

    def sent(self, endpoint: Endpoint, habits: Habits) -> dict[str, Any]:
        """Return the settings as the endpoint takes them, those of EXTRA among them."""
        settings = dict(self.settings)
        if "max_tokens" in settings:
            settings["max_tokens"] += self.room if habits.needs_room else 0
            settings["max_tokens"] = min(filter(None, (settings["max_tokens"], habits.most_tokens, self.most)))
        settings |= habits.extra | endpoint.extra
        named = [(habits.renamed.get(name, name), value) for name, value in settings.items()]
        return {name: value for name, value in named if name}

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
        self._limiter: Any = None
        if per_minute:
            from aiolimiter import AsyncLimiter

            self._limiter = AsyncLimiter(1, 60 / per_minute)
        self._sdks: dict[tuple[str, str], Any] = {}
        self._reached: set[str] = set()
        self._told: set[str] = set()
        self._pending: dict[str, asyncio.Task[Reply]] = {}
        self._habits: dict[str, Habits] = defaultdict(Habits)  # what is known of endpoints' ways
        self._looked_up: dict[tuple[str, str], asyncio.Task[None]] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        left = [*self._looked_up.values(), *self._pending.values()]
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)
        for sdk in self._sdks.values():
            await sdk.close()

    async def ask(self, endpoint: Endpoint, request: Request) -> Reply:
        """Return the reply to `request`, from the cache or from the endpoint.

        Raises UserError for what no retry can fix and BudgetSpentError when the cap could be passed.
        """
        key = request.key(endpoint)
        if (stored := self.cache.get(key)) is not None:
            self.from_cache += 1
            return Reply(**stored)
        if key in self._pending:  # the same call is in flight: one is enough
            self.from_cache += 1
        else:
            self._pending[key] = asyncio.ensure_future(self._ask(endpoint, request, key))
            self._pending[key].add_done_callback(lambda _: self._pending.pop(key))
        return await asyncio.shield(self._pending[key])

    async def _ask(self, endpoint: Endpoint, request: Request, key: str) -> Reply:
        """Send `request` until it is answered or given up."""
        attempt = adapted = 0
        while True:
            attempt += 1
            async with self._slots:
                self._look_up(endpoint)
                sent = request.sent(endpoint, self._habits[endpoint.cache_name])
                outcome = await self._attempt(endpoint, request, sent)
            if isinstance(outcome, Reply):
                habits, cut_off = self._habits[endpoint.cache_name], outcome.finish_reason.lower() in CUT_OFF
                habits.needs_room |= outcome.thought or cut_off
                if cut_off and request.sent(endpoint, habits) != sent:
                    continue  # the same call, now with the room that it was promised, may end
                outcome.attempts = attempt
                self.cache.put(key, asdict(outcome))
                return outcome
            if outcome.action == "adapt" and adapted < MOST_ADAPTED:
                adapted += 1
                if outcome.most:
                    request = replace(request, most=outcome.most)
                    self._tell_once(
                        "context", f"{endpoint.model} has no room for max_tokens beside each prompt: less is asked for"
                    )
                if outcome.most or self._adapt(endpoint, request, sent, outcome):
                    continue
            unreached = outcome.kind == "unreachable" and endpoint.url not in self._reached
            if unreached and attempt >= 3:
                raise UserError(
                    f"nothing answers at {endpoint.url}: {outcome.message}", "check the URL and the network"
                )
            most = {"http 429": PATIENCE * self.attempts}.get(outcome.kind, self.attempts)
            if outcome.action != "retry" or attempt >= min(most, TRIES.get(outcome.kind, most)):
                return Reply(error=f"{outcome.kind}: {outcome.message}", attempts=attempt)
            self._tell_once(
                outcome.kind, f"{endpoint.url}: {outcome.kind}: {outcome.message}; such calls are tried again"
            )
            await asyncio.sleep(backoff(attempt, outcome))

    def _tell_once(self, kind: str, what: str) -> None:
        if kind not in self._told:
            self._told.add(kind)
            notice(what)

    async def _attempt(self, endpoint: Endpoint, request: Request, sent: dict[str, Any]) -> Reply | Failure:
        """Send `request` once, its worst price reserved before and settled after."""
        price = price_of(endpoint.model, endpoint.url)
        tokens_in, tokens_out = request.tokens()
        tokens_out = max(tokens_out, *(sent.get(name) or 0 for name in ("max_tokens", "max_completion_tokens")))
        reservation = None
        if self.budget:
            reservation = await self.budget.reserve(endpoint.model, price, int(MARGIN * tokens_in), tokens_out)
        dollars: float | None = None  # an interrupted call may be billed
        try:
            if self._limiter:
                await self._limiter.acquire()
            self.calls += 1
            try:
                reply = await self._send(endpoint, request, sent)
                if price and reply.tokens_in and reply.tokens_out:
                    dollars = price.of(reply.tokens_in, reply.tokens_out)
                self._reached.add(endpoint.url)
                return reply
            except Exception as error:
                dollars = 0.0
                failure = classify(error, endpoint, sent)
                dollars = None if failure.billed else 0.0
            if failure.kind != "unreachable":
                self._reached.add(endpoint.url)
            return Reply(finish_reason="content_filter") if failure.action == "filtered" else failure
        finally:
            if self.budget and reservation is not None:
                self.budget.settle(reservation, dollars)

    async def _send(self, endpoint: Endpoint, request: Request, sent: dict[str, Any]) -> Reply:
        body = {"model": endpoint.model, "messages": request.messages}
        raw = await self._sdk(endpoint).chat.completions.with_raw_response.create(**body, extra_body=sent)
        reply = read_completion(raw.content)
        renamed = self._habits[endpoint.cache_name].renamed
        reply.left_out = [name for name in request.settings if renamed.get(name, name) not in sent]
        return reply

    def _sdk(self, endpoint: Endpoint) -> Any:
        """Return the SDK's client for a URL and key: one, so that its connections are used again."""
        place = (endpoint.url, endpoint.key)
        if place not in self._sdks:
            openai = load_sdk()
            try:
                # A proxy from the environment is for the world outside, not for a server on this machine.
                transport = openai.DefaultAsyncHttpx2Client(trust_env=not is_local(endpoint.url))
            except Exception as error:
                if wrong := proxies.unusable(error):
                    raise UserError(*wrong) from None
                raise
            self._sdks[place] = openai.AsyncOpenAI(
                api_key=endpoint.key or "none",
                base_url=endpoint.url,
                max_retries=0,  # each attempt is counted against the budget, and gives its slot back while it waits
                timeout=openai.Timeout(endpoint.timeout, connect=min(CONNECT_SECONDS, endpoint.timeout)),
                http_client=transport,
            )
        return self._sdks[place]

    def _adapt(self, endpoint: Endpoint, request: Request, sent: dict[str, Any], failure: Failure) -> bool:
        """Remember what an endpoint refuses, and tell whether the call is now another one."""
        habits = self._habits[endpoint.cache_name]
        if request.sent(endpoint, habits) == sent:  # else another call has found it out meanwhile
            habits.learn(failure, sent, endpoint.url)
        return request.sent(endpoint, habits) != sent

    def _look_up(self, endpoint: Endpoint) -> None:
        """Ask once, beside the calls, whether the endpoint's list of models says when this one will be shut down."""
        place = (endpoint.url, endpoint.model)
        if place not in self._looked_up:
            self._looked_up[place] = asyncio.ensure_future(self._warn_of_shutdown(endpoint))

    async def _warn_of_shutdown(self, endpoint: Endpoint) -> None:
        try:
            listed = await self._sdk(endpoint).with_options(timeout=CONNECT_SECONDS).models.with_raw_response.list()
            known = {str(model["id"]): model for model in orjson.loads(listed.content)["data"]}
            day = date.fromisoformat(known[endpoint.model]["shutdown_date"])
        except Exception:  # most endpoints do not say it
            return
        notice(f"warning: {endpoint.model} will be shut down on {day}; results of another one cannot be put beside its")


def load_sdk() -> ModuleType:
    """Import `openai` for less: its import is most of what a command costs before its first call.

    Without searching for garbage among what stays for good, and without aiohttp, a second transport that the SDK
    imports where it is installed.
    """
    if "openai" not in sys.modules:
        hidden = "aiohttp" not in sys.modules
        gc.disable()
        try:
            if hidden:
                sys.modules["aiohttp"] = None  # type: ignore[assignment]
            import openai  # noqa: F401
        finally:
            if hidden:
                del sys.modules["aiohttp"]
            gc.freeze()
            gc.enable()
    return sys.modules["openai"]


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
