"""What calls will cost, told before any of them is made."""

from collections.abc import Sequence
from dataclasses import dataclass

from common.llm.cache import Cache
from common.llm.client import Request
from common.llm.endpoint import Endpoint
from common.llm.prices import price_of


@dataclass(frozen=True)
class Quote:
    """Calls, tokens and dollars in words, and the dollars again; 0 where the price is not known."""

    words: str
    dollars: float = 0.0

    def __str__(self) -> str:
        return self.words


def estimate(
    endpoint: Endpoint, requests: Sequence[Request], tokens_out: int, cache: Cache, *, about: str = "about"
) -> Quote:
    """Say how many of `requests` are still to be made, and their tokens and dollars at `tokens_out` for each reply."""
    new = {key: request for request in requests if cache.get(key := request.key(endpoint)) is None}
    if not new:
        return Quote(f"{endpoint.model}: all {len(requests):,} replies are in the cache")
    sent = sum(request.tokens()[0] for request in new.values())
    there = f" ({len(requests) - len(new):,} more cost nothing)" if len(new) < len(requests) else ""
    quote = told(endpoint, len(new), sent, len(new) * tokens_out, about=about)
    return Quote(quote.words + there, quote.dollars)


def told(endpoint: Endpoint, calls: int, tokens_in: int, tokens_out: int, *, about: str = "about") -> Quote:
    """Say calls, tokens and dollars."""
    price = price_of(endpoint.model, endpoint.url)
    dollars = price.of(tokens_in, tokens_out) if price else 0.0
    cost = f"{about} ${dollars:.4f}" if price else 'price unknown (PRICE="in out" gives it)'
    words = f"{calls:,} calls to {endpoint.model}, about {tokens_in:,} tokens in and {about} {tokens_out:,} out, {cost}"
    return Quote(words, dollars)
