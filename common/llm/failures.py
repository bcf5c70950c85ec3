"""What went wrong with a call to an OpenAI-compatible endpoint, and what to do about it."""

import random
import re
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Literal, NamedTuple
from urllib.parse import urlsplit

from common import proxies
from common.errors import UserError

Action = Literal["retry", "give up", "adapt", "filtered"]
LONGEST_WAIT = 300.0
FILTERED = re.compile(
    r"content[ _-]?(?:filter|polic|exists risk|management|moderation)|data_?inspection|inappropriate content"
    r"|moderation|flagged|considered high risk|sensitive (?:content|words?)|敏感|违规|不安全|不合规|内容安全",
    re.IGNORECASE,
)
"""What endpoints say when a filter refuses a question, which is no fault of the key or the call."""
NO_CREDIT = (
    "insufficient_quota", "insufficient_balance", "billing_hard_limit_reached", "billing_not_active", "arrearage",
    "insufficient_user_quota", "credits_exhausted",
)  # fmt: skip
NO_CREDIT_SAID = re.compile(
    r"insufficient (?:balance|credit|quota|fund)|exceeded your current quota, please check your plan|余额不足|欠费",
    re.IGNORECASE,
)
NO_MODEL = re.compile(r"model|模型", re.IGNORECASE)


@dataclass(frozen=True)
class Failure:
    """One failed attempt: its kind, what to do, the wait that was asked for, whether it may be billed."""

    kind: str
    message: str
    action: Action
    wait: float | None = None
    billed: bool = False
    parameter: str = ""


class MalformedError(Exception):
    """The server's 200 did not hold a chat completion."""


class RefusedError(Exception):
    """The server's 200 held an error: what it says of it."""

    def __init__(self, error: Any) -> None:
        super().__init__(_said(error))
        self.error = error


def classify(error: Exception, url: str, model: str, key: str = "", sent: Collection[str] = ()) -> Failure:
    """Turn an exception of the SDK into a Failure; what no retry can mend raises UserError.

    `sent` are the names of the settings that were sent. What the server said is told without `key`: some quote it,
    and it must reach no file.
    """
    import openai

    asked = _Asked(url, model, key, sent)
    if isinstance(error, MalformedError):
        return Failure("malformed", without(key, str(error)), "retry", billed=True)
    if isinstance(error, RefusedError):
        status = _int(error.error.get("code")) if isinstance(error.error, dict) else 0
        return _of_status(status if status >= 400 else 200, error.error, {}, asked)
    if isinstance(error, openai.APIConnectionError):
        cause = error.__cause__ or error
        if any(sign in type(cause).__name__.lower() for sign in ("connect", "proxy")):
            what = "it does not answer" if isinstance(error, openai.APITimeoutError) else str(cause)
            return Failure("unreachable", what + proxies.note(url), "retry")
        if isinstance(error, openai.APITimeoutError):
            return Failure("timeout", "no reply in time", "retry", billed=True)
        return Failure("dropped", str(cause) + proxies.note(url), "retry")
    if isinstance(error, openai.APIStatusError):
        status, headers = error.status_code, error.response.headers
        if status in (407, 502, 503, 504) and "json" not in headers.get("content-type", "") and proxies.of(url):
            return Failure("unreachable", f"HTTP {status}{proxies.note(url)}", "retry")
        return _of_status(status, error.body, headers, asked)
    raise error


class _Asked(NamedTuple):
    url: str
    model: str
    key: str
    sent: Collection[str]


def _of_status(status: int, body: Any, headers: Any, asked: _Asked) -> Failure:
    """Return what an HTTP status and the error beside it mean; 200 stands for an error without a status."""
    url, model = asked.url, asked.model
    said = without(asked.key, _said(body))[:300]
    body = body if isinstance(body, dict) else {}
    codes = {str(body.get(name) or "").lower() for name in ("code", "type")}
    everything = " ".join([*codes, said])
    kind = f"http {status}" if status != 200 else "error"
    if 400 <= status < 500 and status != 429 and FILTERED.search(everything):
        return Failure("filtered", said, "filtered")
    if status == 402 or codes & set(NO_CREDIT) or NO_CREDIT_SAID.search(said):
        raise UserError(f"{url} says that the account has no credit left: {said}", "top it up, then run again")
    if status in (401, 403):
        why = f": {said}{proxies.note(url)}" if status == 403 else ""  # a country, a model, a project without rights
        raise UserError(
            f"{url} refused the key (HTTP {status}){why}", "set OPENAI_API_KEY to a key that is valid for this URL"
        )
    if status == 404 or (status == 200 and "endpoint" in said.lower()):
        if status == 404 and NO_MODEL.search(said):
            pull = f"ollama pull {model}" if "pull" in said else f"curl {url}/models lists them"
            raise UserError(f"{url} does not know the model {model!r}: {said}", f"name one that it has: {pull}")
        missing = not urlsplit(url).path.rstrip("/").endswith("/v1")
        raise UserError(
            f"there is no chat API at {url} (HTTP {status}){': ' + said if said else ''}",
            f"most URLs end in /v1: {url}/v1" if missing else "check the URL",
        )
    if status in (400, 422) and (parameter := _named(str(body.get("param") or ""), said, asked.sent)):
        return Failure("unsupported", said, "adapt", parameter=parameter)
    if status in (408, 409, 429) or status >= 500:
        wait = _retry_after(headers)
        if wait is not None and wait > LONGEST_WAIT:
            return Failure(kind, f"asked to wait {wait:.0f} s: {said}", "give up")
        return Failure(kind, said, "retry", wait)
    return Failure(kind, said, "retry" if status == 200 else "give up")


def _named(parameter: str, said: str, sent: Collection[str]) -> str:
    """Return the setting that a refusal is about: one that was sent, or `enable_thinking`, which some want said."""
    names = [*sent, "enable_thinking"]
    if parameter in names:
        return parameter
    places = {name: found.start() for name in names if (found := re.search(rf"\b{re.escape(name)}\b", said))}
    return min(places, key=places.__getitem__, default="")


def _said(body: Any) -> str:
    """Return an error's own words, whatever shape it has."""
    if isinstance(body, dict):
        for name in ("message", "detail", "error", "error_msg", "msg"):
            if body.get(name):
                more = body.get("metadata")
                raw = more.get("raw") if isinstance(more, dict) else None
                return _said(body[name]) + (f" ({raw})" if raw else "")
        return ""
    if isinstance(body, list):
        return "; ".join(map(_said, body))
    return " ".join(re.sub(r"<[^>]*>", " ", str(body or "")).split())


def _int(value: Any) -> int:
    try:
        return int(value)
    except (TypeError, ValueError):
        return 0


def without(key: str, text: str) -> str:
    """Return what a server said without the key, which some of them quote."""
    return text.replace(key, "***") if key else text


def _retry_after(headers: Any) -> float | None:
    """Return the seconds that a Retry-After header asks for (a number or a date), or None."""
    for name, unit in (("retry-after-ms", 1000), ("retry-after", 1)):
        try:
            return max(0.0, float(headers.get(name, "")) / unit)
        except ValueError:
            continue
    try:
        return max(0.0, (parsedate_to_datetime(headers.get("retry-after", "")) - datetime.now(UTC)).total_seconds())
    except (TypeError, ValueError):
        return None


def backoff(attempt: int, failure: Failure) -> float:
    """Return the seconds to wait after the `attempt`-th failed attempt (from 1): exponential, with jitter."""
    if failure.wait is not None:
        return failure.wait
    return min(30.0, 0.5 * 2 ** (attempt - 1)) * random.uniform(0.75, 1.25)
