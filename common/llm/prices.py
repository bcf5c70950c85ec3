"""What calls cost, and the cap that a run must not pass."""

import asyncio
import os
import re
from dataclasses import dataclass
from functools import cache
from typing import Any
from urllib.parse import urlsplit

from common.errors import UserError
from common.llm.cache import Cache

OPENAI = "https://api.openai.com/v1"
POLL_SECONDS = 0.02
LOCAL_HOSTS = ("127.0.0.1", "localhost", "::1", "0.0.0.0")
SNAPSHOT = re.compile(r"[-@]?(latest|\d[\d-]*)?")  # what may stand behind a listed model's name: the date of a snapshot


@dataclass(frozen=True)
class Price:
    """US dollars for one token of input and one of output."""

    input: float
    output: float

    def of(self, tokens_in: int, tokens_out: int) -> float:
        """Return the dollars for one call."""
        return self.input * tokens_in + self.output * tokens_out


def price_of(model: str, url: str) -> Price | None:
    """Return a model's price at a URL; None when it is not listed and PRICE does not give it.

    Listed are the prices of genai-prices, each for its provider's own address; a server on this machine is free.
    """
    if is_local(url):
        return Price(0, 0)
    return _listed(model, url or OPENAI) or price_given()


def price_given() -> Price | None:
    """Return what PRICE="0.4 1.6" says about models that are not listed: dollars per million tokens in and out."""
    given = os.environ.get("PRICE", "").replace(",", " ").replace("/", " ").split()
    if not given:
        return None
    try:
        dollars_in, dollars_out = map(float, given)
        if not 0 <= min(dollars_in, dollars_out) <= max(dollars_in, dollars_out) < float("inf"):
            raise ValueError
    except ValueError:
        raise UserError(
            f"PRICE={os.environ['PRICE']!r} is not two prices", 'dollars per million tokens in and out: PRICE="0.4 1.6"'
        ) from None
    return Price(dollars_in / 1e6, dollars_out / 1e6)


@cache
def _listed(model: str, url: str) -> Price | None:
    from datetime import UTC, datetime

    from genai_prices.data_snapshot import get_snapshot

    try:
        _, found = get_snapshot().find_provider_model(model, None, None, url)
    except LookupError:
        return None
    short = model.lower()
    if not (_names(found.match, short) or (short.startswith(found.id) and SNAPSHOT.fullmatch(short[len(found.id) :]))):
        return None  # only its first letters are those of a listed model
    prices = found.get_prices(datetime.now(UTC))
    dollars: list[Any] = [getattr(price, "base", price) for price in (prices.input_mtok, prices.output_mtok)]
    return None if None in dollars else Price(*(float(each) / 1e6 for each in dollars))


def _names(clause: Any, model: str) -> bool:
    """Tell whether a clause of the list gives a model's whole name, and not its beginning or a part of it."""
    kind = type(clause).__name__
    if kind in ("ClauseOr", "ClauseAnd"):
        parts = [_names(part, model) for part in (clause.or_ if kind == "ClauseOr" else clause.and_)]
        return any(parts) if kind == "ClauseOr" else all(parts)
    return kind in ("ClauseEquals", "ClauseRegex") and bool(clause.is_match(model))


def is_local(url: str) -> bool:
    """Tell whether a URL is a server on this machine."""
    return urlsplit(url).hostname in LOCAL_HOSTS


def estimate_tokens(text: str) -> int:
    """Estimate a text's tokens without a tokenizer: one for 4 ASCII characters, one for any other character."""
    others = len(text) - len(text.encode("ascii", "ignore"))
    return others + (len(text) - others + 3) // 4


class BudgetSpentError(Exception):
    """The next call could pass the cap, so it was not made."""


class Budget:
    """A cap in dollars on all that a scope (a run's folder) ever spends, whichever commands and processes do it.

    A call reserves its worst price in the ledger before it is sent and is settled after it. What a killed process had
    reserved stays spent: its calls may have been billed.
    """

    def __init__(self, cache: Cache, scope: str, limit: float | None = None) -> None:
        self.cache = cache
        self.scope = scope
        self.limit = limit
        self._in_flight = 0
        cache.settle_of_the_dead(scope)

    @property
    def spent(self) -> float:
        """Return the dollars spent so far."""
        return self.cache.spent(self.scope)

    async def reserve(self, model: str, price: Price | None, tokens_in: int, tokens_out: int) -> int:
        """Set a call's worst price aside and return the reservation; BudgetSpentError when the cap could be passed.

        While calls in flight may still turn out cheaper than feared, it waits for them.
        """
        if price is None and self.limit is not None:
            raise UserError(
                f"there is no price for model {model!r}, so BUDGET cannot be kept",
                'give it in dollars per million tokens in and out: PRICE="0.4 1.6"; or leave BUDGET out',
            )
        worst = price.of(tokens_in, tokens_out) if price else 0.0
        while (reservation := self.cache.reserve(self.scope, model, worst, self.limit)) is None:
            if not self._in_flight:
                raise BudgetSpentError
            await asyncio.sleep(POLL_SECONDS)
        self._in_flight += 1
        return reservation

    def settle(self, reservation: int, dollars: float | None) -> None:
        """Book what a call really cost: 0 when it was certainly not billed, None when as much as was reserved."""
        self._in_flight -= 1
        self.cache.settle(reservation, dollars)
