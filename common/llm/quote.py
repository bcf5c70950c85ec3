"""What calls will cost, told before any of them is made."""

from collections.abc import Sequence

from common.llm.cache import Cache
from common.llm.client import Endpoint, Request
from common.llm.prices import price_of


def estimate(
    endpoint: Endpoint,
    requests: Sequence[Request],
    tokens_out: int,
    cache: Cache,
    *,
    about: str = "about",
) -> str:
    """Say how many of `requests` are still to be made, and their tokens and dollars at `tokens_out` for each reply."""
    new = {key: request for request in requests if cache.get(key := request.key(endpoint)) is None}
    if not new:
        return f"{endpoint.model}: all {len(requests):,} replies are in the cache"
    sent = sum(request.tokens()[0] for request in new.values())
    there = f" ({len(requests) - len(new):,} more cost nothing)" if len(new) < len(requests) else ""
    return told(endpoint, len(new), sent, len(new) * tokens_out, about=about) + there


def told(endpoint: Endpoint, calls: int, tokens_in: int, tokens_out: int, *, about: str = "about") -> str:
    """Say calls, tokens and dollars."""
    price = price_of(endpoint.model, endpoint.url)
    cost = f"{about} ${price.of(tokens_in, tokens_out):.4f}" if price else 'price unknown (PRICE="in out" gives it)'
    return f"{calls:,} calls to {endpoint.model}, about {tokens_in:,} tokens in and {about} {tokens_out:,} out, {cost}"
