"""What went wrong with a call to an OpenAI-compatible endpoint, what to do about it, and what is learnt from it."""

import random
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from common import proxies
from common.errors import UserError
from common.llm.endpoint import Endpoint
from common.progress import notice
from common.yaml_files import patterns

Action = Literal["retry", "give up", "adapt", "filtered"]
LONGEST_WAIT = 300.0
LEAST_ROOM = 16  # tokens of output below which a prompt is called too long
CALLED = {
    "max_tokens": "max_?(?:output_?|new_?|completion_?)?tokens",
    "reasoning_effort": "reasoning_?effort|(?:support|enable) (?:thinking|reasoning)",
}
"""What refusals call settings, besides by their own names."""
RENAMED = {"max_tokens": "max_completion_tokens"}
"""How a setting that is refused is said to newer models; others are left out."""
SIGNS = Path(__file__).with_name("refusals.yaml")  # what endpoints say that refuse a call, by the reason


@dataclass(frozen=True)
class Failure:
    """One failed attempt: its kind, what to do, the wait that was asked for, whether it may be billed."""

    kind: str
    message: str
    action: Action
    wait: float | None = None
    billed: bool = False
    parameter: str = ""
    most: int = 0  # the tokens of output that the input leaves room for; 0: not known


class MalformedError(Exception):
    """The server's 200 did not hold a chat completion."""


class RefusedError(Exception):
    """The server's 200 held an error: what it says of it."""

    def __init__(self, error: Any) -> None:
        super().__init__(_said(error))
        self.error = error


def classify(error: Exception, endpoint: Endpoint, sent: Collection[str] = ()) -> Failure:
    """Turn an exception of the SDK into a Failure; what no retry can fix raises UserError.

    `sent` are the names of the settings that were sent. What the server said is told without the key: some quote it,
    and it must reach no file.
    """
    import openai

    url = endpoint.url
    if isinstance(error, MalformedError):
        return Failure("malformed", without(endpoint.key, str(error)), "retry", billed=True)
    if isinstance(error, RefusedError):
        status = number(error.error.get("code")) if isinstance(error.error, dict) else 0
        return _of_status(status if 400 <= status < 600 else 200, error.error, {}, endpoint, sent)
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
        return _of_status(status, error.body, headers, endpoint, sent)
    raise error


def _of_status(status: int, body: Any, headers: Any, endpoint: Endpoint, sent: Collection[str]) -> Failure:
    """Return what an HTTP status and the error beside it mean; 200 stands for an error without a status."""
    url, model, signs = endpoint.url, endpoint.model, patterns(SIGNS, re.IGNORECASE)
    everything = without(endpoint.key, _said(body))
    said, body = everything[:300], _object(body)
    everything += " ".join(["", *(str(body.get(name) or "") for name in ("code", "type", "status"))])
    kind = f"http {status}" if status != 200 else "error"
    wait = _retry_after(headers, everything)
    mistaken = status == 200 or 400 <= status < 500
    if mistaken and status != 429 and signs["filtered"].search(everything):
        return Failure("filtered", said, "filtered")
    if status == 402 or (signs["no credit"].search(everything) and wait is None):  # a quota that comes back is a rate
        raise UserError(f"{url} says that the account has no credit left: {said}", "top it up, then run again")
    if status in (401, 403) or (mistaken and signs["no key"].search(everything)):
        why = "" if status == 401 else f": {said}{proxies.note(url)}"  # a country, a model, a project without rights
        raise UserError(
            f"{url} refused the key (HTTP {status}){why}", "set OPENAI_API_KEY to a key that is valid for this URL"
        )
    if (status == 404 and signs["model"].search(said)) or signs["no model"].search(everything):
        pull = f"ollama pull {model}" if "pull" in said else f"curl {url}/models lists them"
        raise UserError(f"{url} does not know the model {model!r}: {said}", f"name one that it has: {pull}")
    if status == 404 or (status == 200 and "endpoint" in said.lower()):
        missing = not urlsplit(url).path.rstrip("/").endswith("/v1")
        raise UserError(
            f"there is no chat API at {url} (HTTP {status}){': ' + said if said else ''}",
            f"most URLs end in /v1: {url}/v1" if missing else "check the URL",
        )
    if status in (400, 413, 422):
        bounded = {"max_tokens", "max_completion_tokens"} & set(sent)
        total, given = signs["total"].search(everything), signs["input"].search(everything)
        if bounded and total and given:
            most = int(total[1]) - int(given[1])
            return Failure(kind, said, "adapt" if most > LEAST_ROOM else "give up", most=max(0, most))
        if parameter := _named(str(body.get("param") or ""), said, sent):
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
    written |= {name: f"(?:{other})" for name, other in CALLED.items() if name in names}
    places = {
        name: found.start() for name in names if (found := re.search(rf"\b{written[name]}\b", said, re.IGNORECASE))
    }
    return min(places, key=places.__getitem__, default="")


def _said(body: Any) -> str:
    """Return an error's own words, whatever shape it has."""
    if isinstance(body, dict):
        for name in ("message", "detail", "error", "errors", "error_msg", "msg", "status_msg"):
            if body.get(name):
                more, place = body.get("metadata"), body.get("loc")
                raw = more.get("raw") if isinstance(more, dict) else None
                where = f"{'.'.join(map(str, place))}: " if isinstance(place, list) else ""
                return where + _said(body[name]) + (f" ({raw})" if raw else "")
        return ""
    if isinstance(body, list):
        return "; ".join(map(_said, body))
    return " ".join(re.sub(r"<[^>]*>", " ", str(body or "")).split())


def number(value: Any) -> int:
    """Return a number that a server sent, 0 where it is none."""
    try:
        return max(0, int(value))
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
    for hours, minutes, seconds, unit in patterns(SIGNS, re.IGNORECASE)["wait"].findall(said):
        if hours or minutes or seconds:
            return int(hours or 0) * 3600 + int(minutes or 0) * 60 + float(seconds or 0) / (1000 if unit == "ms" else 1)
    return None


def backoff(attempt: int, failure: Failure) -> float:
    """Return the seconds to wait after the `attempt`-th failed attempt (from 1): exponential, with jitter."""
    if failure.wait is not None:
        return failure.wait
    return min(30.0, 0.5 * 2 ** (attempt - 1)) * random.uniform(0.75, 1.25)


@dataclass
class Habits:
    """What one endpoint was found to want, or to do: told by its refusals, and heeded by the calls that follow."""

    renamed: dict[str, str | None] = field(default_factory=dict)
    """Setting -> what it is called there, None: it is left out."""
    extra: dict[str, Any] = field(default_factory=dict)
    most_tokens: int = 0  # the largest max_tokens that it takes; 0: not known
    needs_room: bool = False  # it thinks, or a reply of it was cut off

    def learn(self, failure: Failure, sent: Mapping[str, Any], url: str) -> None:
        """Remember what was refused of the settings that were sent."""
        name = failure.parameter
        ours = next((ours for ours, theirs in self.renamed.items() if theirs == name), name)
        numbers = [int(number) for number in re.findall(r"(?<![-\w.])\d+", failure.message)]
        smaller = [number for number in numbers if 1 < number < (sent.get(name) or 0)]
        other, is_room = RENAMED.get(name), name in RENAMED.values() or name in RENAMED
        if is_room and other and (other in failure.message or not smaller):
            self.renamed[ours] = other
        elif is_room and smaller:
            self.most_tokens = max(smaller)
            notice(f"{url} takes max_tokens up to {self.most_tokens}: longer replies are cut off there")
        elif name == "enable_thinking" and name not in sent:
            self.extra[name] = False
        else:
            self.renamed[ours] = None
