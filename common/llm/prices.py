"""What calls cost: the price list, token estimates and the cap that a run must not pass."""

import asyncio
import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import yaml

from common.errors import UserError
from common.llm.cache import Cache

PRICES = Path(__file__).with_name("prices.yaml")
HAN = re.compile(r"[\u3400-\u9fff\uf900-\ufaff\u3000-\u303f\uff00-\uffef]")
POLL_SECONDS = 0.02
LOCAL_HOSTS = ("127.0.0.1", "localhost", "::1", "0.0.0.0")


@dataclass(frozen=True)
class Price:
    """US dollars for one token of input and one of output."""

    input: float
    output: float

    def of(self, tokens_in: int, tokens_out: int) -> float:
        """Return the dollars for one call."""
        return self.input * tokens_in + self.output * tokens_out


def price_of(model: str, url: str, prices: Path = PRICES) -> Price | None:
    """Return the price of a model, by its longest listed prefix; None when the list does not know it."""
    listed = yaml.safe_load(prices.read_text())
    short = model.rpartition("/")[2]
    known = [name for name in listed if short.startswith(name)]
    if known:
        name = max(known, key=len)
    elif is_local(url):
        name = "local"
    else:
        return None
    dollars_in, dollars_out = listed[name]
    return Price(dollars_in / 1e6, dollars_out / 1e6)


def is_local(url: str) -> bool:
    """Tell whether a URL is a server on this machine."""
    return urlsplit(url).hostname in LOCAL_HOSTS


def estimate_tokens(text: str) -> int:
    """Estimate a text's tokens without a tokenizer: one for a Han character, one for 4 other characters."""
    han = len(HAN.findall(text))
    return han + (len(text) - han + 3) // 4


class BudgetSpentError(Exception):
    """The next call could pass the cap, so it was not made."""


class Budget:
    """A cap in dollars on all that one run ever spends, retries and earlier processes included.

    A call reserves its worst price before it is sent, so that calls in flight cannot pass the cap together.
    """

    def __init__(self, cache: Cache, scope: str, limit: float | None = None) -> None:
        self.cache = cache
        self.scope = scope
        self.limit = limit
        self._reserved = 0.0
        self._in_flight = 0
        self._spent = cache.spent(scope)

    @property
    def spent(self) -> float:
        """Return the dollars spent so far."""
        return self._spent

    async def reserve(self, model: str, price: Price | None, tokens_in: int, tokens_out: int) -> float:
        """Set aside a call's worst price and return it; raise BudgetSpentError when the cap could be passed.

        While calls in flight may still turn out cheaper than feared, it waits for them.
        """
        if price is None:
            if self.limit is None:
                self._in_flight += 1
                return 0.0
            raise UserError(
                f"there is no price for model {model!r}, so a budget cannot be kept",
                f"add it to {PRICES.relative_to(PRICES.parent.parent)} or leave BUDGET out",
            )
        worst = price.of(tokens_in, tokens_out)
        while self.limit is not None and self._spent + self._reserved + worst > self.limit:
            if self._spent + worst > self.limit or not self._in_flight:
                raise BudgetSpentError
            await asyncio.sleep(POLL_SECONDS)
        self._in_flight += 1
        self._reserved += worst
        return worst

    def settle(self, model: str, reserved: float, dollars: float) -> None:
        """Turn a reservation into what the call really cost (0 when it was certainly not billed)."""
        self._reserved -= reserved
        self._in_flight -= 1
        self.charge(model, dollars)

    def charge(self, model: str, dollars: float) -> None:
        """Add to what was spent, in the ledger too."""
        if dollars:
            self._spent += dollars
            self.cache.spend(self.scope, model, dollars)
