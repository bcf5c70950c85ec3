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
LEAST_ROOM = 16
"""Tokens of output below which a prompt is called too long."""
FILTERED = re.compile(
    r"content[ _-]?(?:filter|polic|exists risk|management|moderation)|data_?inspection|inappropriate content"
    r"|moderation|flagged|considered high risk|sensitive[ _]?(?:content|words?|information)|new_sensitive"
    r"|敏感|违规|不安全|不合规|内容安全",
    re.IGNORECASE,
)
"""What endpoints say when a filter refuses a question, which is no fault of the key or the call."""
NO_CREDIT = re.compile(
    r"insufficient[ _](?:user_)?(?:balance|credit|quota|fund)"
    r"|(?:balance|credits?|funds?) (?:is|are) (?:insufficient|too low)"
    r"|billing_(?:hard_limit_reached|not_active)|arrearage|credits?_exhausted|exceeded_current_quota|budget_exceeded"
    r"|overdue balance|have any credits|exceeded your current (?:token )?quota|余额不足|欠费",
    re.IGNORECASE,
)
NO_KEY = re.compile(
    r"api[ _-]?key (?:is )?(?:not valid|invalid|expired)|(?:invalid|incorrect|missing) (?:api[ _-]?key|credentials)"
    r"|login fail|location is not supported",
    re.IGNORECASE,
)
NO_MODEL = re.compile(
    r"model_not_found|invalid_model|model[^.]{0,80}?(?:not exist|not found|not a valid model|isn't available)"
    r"|(?:not found the|not a valid|invalid|unknown) model\b|模型.{0,20}不存在|无可用渠道",
    re.IGNORECASE,
)
MODEL = re.compile(r"model|deployment|模型", re.IGNORECASE)
TOTAL = re.compile(r"(?:context (?:length|window|size)(?: is| of)?(?: only)?|must be <=) \(?(\d+)", re.IGNORECASE)
INPUT = re.compile(
    r"(\d+) (?:tokens )?(?:`inputs`|in (?:the|your) (?:messages|prompt|input)|input tokens|from the input)",
    re.IGNORECASE,
)
"""The tokens that input and output can have together, and those that the input has, in a refusal of max_tokens."""
WAIT = re.compile(
    r"(?:retry|try again|wait)(?: in| after)? (?:(\d+)h)?(?:(\d+)m(?!s))?(?:(\d+(?:\.\d+)?) ?(ms|s(?:ec\w*)?))?\b",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Failure:
    """One failed attempt: its kind, what to do, the wait that was asked for, whether it may be billed."""

    kind: str
    message: str
    action: Action
    wait: float | None = None
    billed: bool = False
    parameter: str = ""
    most: int = 0
    """The tokens of output that the input leaves room for; 0: not known."""


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
        return _of_status(status if 400 <= status < 600 else 200, error.error, {}, asked)
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
    everything = without(asked.key, _said(body))
    said, body = everything[:300], _object(body)
    everything += " ".join(["", *(str(body.get(name) or "") for name in ("code", "type", "status"))])
    kind = f"http {status}" if status != 200 else "error"
    wait = _retry_after(headers, everything)
    mistaken = status == 200 or 400 <= status < 500
    if mistaken and status != 429 and FILTERED.search(everything):
        return Failure("filtered", said, "filtered")
    if status == 402 or (NO_CREDIT.search(everything) and wait is None):  # a quota that comes back is a rate
        raise UserError(f"{url} says that the account has no credit left: {said}", "top it up, then run again")
    if status in (401, 403) or (mistaken and NO_KEY.search(everything)):
        why = "" if status == 401 else f": {said}{proxies.note(url)}"  # a country, a model, a project without rights
        raise UserError(
            f"{url} refused the key (HTTP {status}){why}", "set OPENAI_API_KEY to a key that is valid for this URL"
        )
    if (status == 404 and MODEL.search(said)) or NO_MODEL.search(everything):
        pull = f"ollama pull {model}" if "pull" in said else f"curl {url}/models lists them"
        raise UserError(f"{url} does not know the model {model!r}: {said}", f"name one that it has: {pull}")
    if status == 404 or (status == 200 and "endpoint" in said.lower()):
        missing = not urlsplit(url).path.rstrip("/").endswith("/v1")
        raise UserError(
            f"there is no chat API at {url} (HTTP {status}){': ' + said if said else ''}",
            f"most URLs end in /v1: {url}/v1" if missing else "check the URL",
        )
    if status in (400, 413, 422):
        bounded = {"max_tokens", "max_completion_tokens"} & set(asked.sent)
        total, given = TOTAL.search(everything), INPUT.search(everything)
        if bounded and total and given:
            most = int(total[1]) - int(given[1])
            return Failure(kind, said, "adapt" if most > LEAST_ROOM else "give up", most=max(0, most))
        if parameter := _named(str(body.get("param") or ""), said, asked.sent):
            return Failure("unsupported", said, "adapt", parameter=parameter)
    if status in (408, 409, 429) or status >= 500:
        if wait is not None and wait > LONGEST_WAIT:
            return Failure(kind, f"asked to wait {wait:.0f} s: {said}", "give up")
        return Failure(kind, said, "retry", wait)
    return Failure(kind, said, "retry" if status == 200 else "give up")


def _object(body: Any) -> dict[str, Any]:
    """Return the object that says what is wrong: some wrap it once more, or in a list."""
    while not isinstance(body, dict) or isinstance(body.get("error"), dict):
        if isinstance(body, dict):
            body = body["error"]
        elif isinstance(body, list) and body:
            body = body[0]
        else:
            return {}
    return body


def _named(parameter: str, said: str, sent: Collection[str]) -> str:
    """Return the setting that a refusal is about: one that was sent, or `enable_thinking`, which some want said."""
    names = [*sent, "enable_thinking"]
    if parameter in names:
        return parameter
    written = {name: re.escape(name).replace("_", "_?") for name in names}  # also as reasoningEffort
    places = {
        name: found.start() for name in names if (found := re.search(rf"\b{written[name]}\b", said, re.IGNORECASE))
    }
    return min(places, key=places.__getitem__, default="")


def _said(body: Any) -> str:
    """Return an error's own words, whatever shape it has."""
    if isinstance(body, dict):
        for name in ("message", "detail", "error", "error_msg", "msg", "status_msg"):
            if body.get(name):
                more, place = body.get("metadata"), body.get("loc")
                raw = more.get("raw") if isinstance(more, dict) else None
                where = f"{'.'.join(map(str, place))}: " if isinstance(place, list) else ""
                return where + _said(body[name]) + (f" ({raw})" if raw else "")
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


def _retry_after(headers: Any, said: str) -> float | None:
    """Return the seconds to wait that a Retry-After header (a number or a date) or the words ask for, or None."""
    for name, unit in (("retry-after-ms", 1000), ("retry-after", 1)):
        try:
            return max(0.0, float(headers.get(name, "")) / unit)
        except ValueError:
            continue
    try:
        return max(0.0, (parsedate_to_datetime(headers.get("retry-after", "")) - datetime.now(UTC)).total_seconds())
    except (TypeError, ValueError):
        pass
    for hours, minutes, seconds, unit in WAIT.findall(said):
        if hours or minutes or seconds:
            return int(hours or 0) * 3600 + int(minutes or 0) * 60 + float(seconds or 0) / (1000 if unit == "ms" else 1)
    return None


def backoff(attempt: int, failure: Failure) -> float:
    """Return the seconds to wait after the `attempt`-th failed attempt (from 1): exponential, with jitter."""
    if failure.wait is not None:
        return failure.wait
    return min(30.0, 0.5 * 2 ** (attempt - 1)) * random.uniform(0.75, 1.25)
