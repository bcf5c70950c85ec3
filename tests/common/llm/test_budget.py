"""What calls cost: the price list, the estimate, and the cap that is never passed."""

import os
import signal
import subprocess
import sys
import time
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from aiohttp import web

from common.errors import UserError
from common.llm.cache import Cache
from common.llm.default_judge import DEFAULT_MODEL
from common.llm.prices import Budget, BudgetSpentError, Price, estimate_tokens, price_of
from tests.checkout import ROOT
from tests.common.llm.calls import ask, short_waits  # noqa: F401
from tests.endpoint import DropError, Endpoint, completion, error

OPENAI = "https://api.openai.com/v1"
SHUTDOWN: date | None = None
"""The day on which DEFAULT_MODEL will be shut down; None: none had been announced on LOOKED, at ANNOUNCED."""
LOOKED = date(2026, 11, 26)
ANNOUNCED = "https://developers.openai.com/api/docs/deprecations"
NOTICE = timedelta(days=90)
"""How long before a shutdown it is announced at the latest: 92 days for gpt-4o, though six months are promised."""

PRICE = Price(0.0, 0.001)  # 50 tokens are reserved: $0.05 a call; 20 are used: $0.02


def test_the_budget_is_never_passed_and_what_was_paid_for_is_kept(
    endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("common.llm.client.price_of", lambda model, url: PRICE)
    cache = Cache()
    budget = Budget(cache, "run", 0.2)
    with pytest.raises(BudgetSpentError):
        ask(endpoint, 50, concurrency=4, budget=budget)
    made = len(endpoint.calls)
    assert made * 0.02 <= 0.2
    assert budget.spent <= 0.2
    # The same command with the same cap spends nothing more than what is left of it, with a larger one it ends.
    with pytest.raises(BudgetSpentError):
        ask(endpoint, 50, concurrency=4, budget=Budget(cache, "run", 0.2))
    assert len(endpoint.calls) * 0.02 <= 0.2
    ask(endpoint, 50, budget=Budget(cache, "run", 5))
    assert len(endpoint.calls) == 50
    assert cache.spent("run") == pytest.approx(50 * 0.02)


@pytest.mark.parametrize(
    ("answer", "calls", "dollars"),
    [
        (lambda: web.Response(text="not JSON"), 2, 0.1),  # paid for, each time
        (lambda: error(502, "bad gateway"), 5, 0.0),
        (lambda: error(529, "overloaded"), 5, 0.0),
        (DropError(), 5, 0.0),
        (lambda: {**completion("yes"), "usage": None}, 1, 0.05),
        (lambda: {**completion("yes"), "usage": {"prompt_tokens": None, "completion_tokens": "20"}}, 1, 0.05),
        (lambda: completion("yes"), 1, 0.02),
    ],
)
def test_what_is_booked_is_what_may_be_billed(
    endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch, answer: Any, calls: int, dollars: float
) -> None:
    def behaviour(body: dict[str, Any], number: int) -> Any:
        if isinstance(answer, Exception):
            raise answer
        return answer()

    monkeypatch.setattr("common.llm.client.price_of", lambda model, url: PRICE)
    endpoint.behaviour = behaviour
    budget = Budget(Cache(), "run", 1.0)
    ask(endpoint, budget=budget, attempts=5)
    assert len(endpoint.calls) == calls
    assert budget.spent == pytest.approx(dollars)


KILLED = """
import asyncio, sys
from common.llm import client
from common.llm.cache import Cache
from common.llm.client import Client, Request, gather
from common.llm.endpoint import Endpoint
from common.llm.prices import Budget, BudgetSpentError, Price

client.price_of = lambda model, url: Price(0.0, 0.001)
place = Endpoint("m", sys.argv[1])
requests = [Request([{"role": "user", "content": str(n)}], {"max_tokens": 50}) for n in range(200)]

async def main():
    cache = Cache()
    async with Client(cache, concurrency=4, budget=Budget(cache, "run", 1.0)) as calls:
        await gather(calls.ask(place, request) for request in requests)

try:
    asyncio.run(main())
except BudgetSpentError:
    sys.exit(7)
"""


def start(endpoint: Endpoint) -> subprocess.Popen[bytes]:
    path = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.Popen([sys.executable, "-c", KILLED, endpoint.url], env=path)


@pytest.mark.slow
def test_commands_that_are_killed_cannot_pass_the_budget_together(endpoint: Endpoint) -> None:
    """Each call is billed 0.02 dollars, whoever is there to hear the reply."""
    endpoint.latency = 0.1
    for sign in (signal.SIGKILL, signal.SIGTERM, signal.SIGKILL):
        before = len(endpoint.calls)
        process = start(endpoint)
        while len(endpoint.calls) < before + 4 and process.poll() is None:
            time.sleep(0.02)
        process.send_signal(sign)
        process.wait(20)
    endpoint.latency = 0
    assert start(endpoint).wait(60) == 7
    assert 12 < len(endpoint.calls) <= 50
    assert Cache().spent("run") >= 0.02 * len(endpoint.calls) - 1e-9
    assert Cache().spent("run") <= 1.0 + 1e-9


@pytest.mark.slow
def test_two_commands_at_once_share_one_budget(endpoint: Endpoint) -> None:
    endpoint.latency = 0.02
    assert [process.wait(60) for process in [start(endpoint), start(endpoint)]] == [7, 7]
    assert 40 <= len(endpoint.calls) <= 50
    assert Cache().spent("run") == pytest.approx(0.02 * len(endpoint.calls))


def test_a_budget_needs_a_price(endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("common.llm.client.price_of", lambda model, url: None)
    with pytest.raises(UserError, match="no price for model 'm'"):
        ask(endpoint, budget=Budget(Cache(), "run", 1.0))
    assert endpoint.calls == []


@pytest.mark.slow
@pytest.mark.parametrize(
    ("model", "url", "dollars"),
    [
        ("gpt-4o-mini", OPENAI, (0.15, 0.6)),
        ("gpt-4o-mini-2024-07-18", OPENAI, (0.15, 0.6)),
        ("gpt-4o", OPENAI, (2.5, 10)),
        ("gpt-6-luna", OPENAI, (0.1, 0.5)),
        ("openai/gpt-6-luna", "https://openrouter.ai/api/v1", (0.1, 0.5)),
        ("unheard-of", "http://localhost:8000/v1", (0, 0)),
        ("gpt-4o-mini-of-mine", OPENAI, None),
        ("gpt-5-nano-x", OPENAI, None),  # the list itself takes whatever begins with gpt-5-nano-
        ("gpt-99", OPENAI, None),
        ("gpt-4o", "https://a.relay.example/v1", None),
    ],
)
def test_a_model_is_priced_by_its_whole_name_at_its_providers_address(
    model: str, url: str, dollars: tuple[float, float] | None
) -> None:
    price = price_of(model, url)
    assert (price and (price.input * 1e6, price.output * 1e6)) == (pytest.approx(dollars) if dollars else None)


def test_price_speaks_for_models_that_are_not_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    for given in ("0.4 1.6", "0.4,1.6", "0.4/1.6"):
        monkeypatch.setenv("PRICE", given)
        price = price_of("gpt-99", OPENAI)
        assert price
        assert price.of(1_000_000, 1_000_000) == pytest.approx(2.0)
    assert price_of("gpt-4o-mini", OPENAI) == Price(0.15e-6, 0.6e-6)
    for given in ("cheap", "1", "1 2 3", "-1 2", "nan 1"):
        monkeypatch.setenv("PRICE", given)
        with pytest.raises(UserError, match="is not two prices"):
            price_of("gpt-99", OPENAI)


def test_the_default_judge_lives_for_another_month() -> None:
    """Fails 30 days before its announced end: name a newer model in common/llm/default_judge.py."""
    assert price_of(DEFAULT_MODEL, OPENAI)
    today = datetime.now(UTC).date()
    if SHUTDOWN is None and today > LOOKED + NOTICE - timedelta(days=30):
        pytest.skip(f"no end of {DEFAULT_MODEL} was announced on {LOOKED}: look again at {ANNOUNCED}")
    assert today + timedelta(days=30) < (SHUTDOWN or LOOKED + NOTICE)


def test_tokens_are_estimated_for_both_languages() -> None:
    assert estimate_tokens("x" * 400) == 100
    assert estimate_tokens("高血压病人应当少吃盐") == 10
