"""What went wrong with a call to an OpenAI-compatible endpoint, and what to do about it."""

import random
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Literal

from common.errors import UserError

Action = Literal["retry", "give up", "adapt", "filtered"]
LONGEST_WAIT = 300.0
# What newer models refuse, and how the same is said to them (None: it is left out).
ADAPTABLE = {
    "max_tokens": "max_completion_tokens",
    "temperature": None,
    "seed": None,
    "top_p": None,
    "response_format": None,
}


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


def classify(error: Exception, url: str, model: str, key: str = "") -> Failure:
    """Turn an exception of the SDK into a Failure; what no retry can mend raises UserError.

    What the server said is told without `key`: some quote it, and it must reach no file.
    """
    import openai

    if isinstance(error, MalformedError):
        return Failure("malformed", without(key, str(error)), "retry", billed=True)
    if isinstance(error, openai.APITimeoutError):
        return Failure("timeout", "no reply in time", "retry", billed=True)
    if isinstance(error, openai.APIConnectionError):
        cause = error.__cause__ or error
        refused = "connect" in type(cause).__name__.lower()
        return Failure("unreachable" if refused else "dropped", str(cause), "retry", billed=not refused)
    if isinstance(error, openai.APIStatusError):
        return _of_status(error, url, model, key)
    raise error


def _of_status(error: Any, url: str, model: str, key: str) -> Failure:
    status = error.status_code
    body = error.body if isinstance(error.body, dict) else {}
    code = str(body.get("code") or "")
    said = without(key, str(body.get("message") or error.message))[:300]
    if status in (401, 403):
        why = f": {said}" if status == 403 else ""  # a country, a model, a project without rights
        raise UserError(
            f"{url} refused the key (HTTP {status}){why}", "set OPENAI_API_KEY to a key that is valid for this URL"
        )
    if status == 429 and code == "insufficient_quota":
        raise UserError(f"{url} says that the account has no credit left", "top it up, then run again")
    if status == 404 and not body:
        raise UserError(f"there is no chat API at {url} (HTTP 404)", "most URLs end in /v1")
    if status == 404:
        raise UserError(
            f"{url} does not know the model {model!r}: {said}", f"name one that it has: curl {url}/models lists them"
        )
    if code == "content_filter":
        return Failure("filtered", said, "filtered")
    parameter = str(body.get("param") or "")
    unsupported = "unsupported" in code or "support" in said.lower()
    if status == 400 and unsupported and parameter in ADAPTABLE:
        return Failure("unsupported", said, "adapt", parameter=parameter)
    if status in (408, 409, 429) or status >= 500:
        wait = _retry_after(error.response.headers)
        if wait is not None and wait > LONGEST_WAIT:
            return Failure(f"http {status}", f"asked to wait {wait:.0f} s: {said}", "give up")
        return Failure(f"http {status}", said, "retry", wait, billed=status >= 500)
    return Failure(f"http {status}", said, "give up")


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
