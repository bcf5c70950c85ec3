"""What calls cost: the price list, the estimate, and the cap that is never passed."""

import pytest
from aiohttp import web

from common.errors import UserError
from common.llm.cache import Cache
from common.llm.prices import Budget, BudgetSpentError, Price, estimate_tokens, price_of
from tests.common.llm.calls import ask, short_waits  # noqa: F401
from tests.endpoint import Endpoint

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


def test_retries_that_may_have_been_billed_count_against_the_budget(
    endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("common.llm.client.price_of", lambda model, url: PRICE)
    endpoint.behaviour = lambda body, number: web.Response(text="not JSON")
    budget = Budget(Cache(), "run", 0.2)
    with pytest.raises(BudgetSpentError):
        ask(endpoint, budget=budget, attempts=100)
    assert len(endpoint.calls) == 4
    assert budget.spent == pytest.approx(0.2)


def test_a_budget_needs_a_price(endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("common.llm.client.price_of", lambda model, url: None)
    with pytest.raises(UserError, match="no price for model 'm'"):
        ask(endpoint, budget=Budget(Cache(), "run", 1.0))
    assert endpoint.calls == []


def test_prices_go_by_the_longest_name() -> None:
    url = "https://api.openai.com/v1"
    mini, full = price_of("gpt-4o-mini-2024-07-18", url), price_of("gpt-4o-2024-08-06", url)
    assert mini
    assert full
    assert mini.input < full.input
    assert price_of("unheard-of", url) is None
    assert price_of("unheard-of", "http://localhost:8000/v1") == Price(0, 0)


def test_tokens_are_estimated_for_both_languages() -> None:
    assert estimate_tokens("x" * 400) == 100
    assert estimate_tokens("高血压病人应当少吃盐") == 10
