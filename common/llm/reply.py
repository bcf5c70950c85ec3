"""What an OpenAI-compatible endpoint answered, read strictly."""

from dataclasses import asdict, dataclass, field
from typing import Any

import orjson

from common.llm.failures import MalformedError


@dataclass
class Reply:
    """What came back. `error` is "" or the kind of failure and what the server said."""

    text: str = ""
    finish_reason: str = ""
    model: str = ""
    fingerprint: str = ""
    tokens_in: int = 0
    tokens_out: int = 0
    attempts: int = 1
    error: str = ""
    left_out: list[str] = field(default_factory=list)  # settings that the endpoint refused

    @property
    def said(self) -> str:
        """Return the text without the thinking before it, which many servers leave in; "" when it is all thinking."""
        _, end, after = self.text.rpartition("</think>")
        if end:
            return after.strip()
        return "" if self.text.lstrip().startswith("<think>") else self.text

    def row(self) -> dict[str, Any]:
        """Return this reply as a JSON-like dict."""
        return asdict(self)


def read_completion(body: bytes) -> Reply:
    """Read a chat completion; raise MalformedError when the body does not hold one."""
    try:
        value = orjson.loads(body)
        choice = value["choices"][0]
        message = choice["message"]
    except (orjson.JSONDecodeError, KeyError, IndexError, TypeError):
        shown = body[:80].decode(errors="replace")
        raise MalformedError(f"the reply is no chat completion: {shown!r}") from None
    usage = value.get("usage") or {}
    refusal = message.get("refusal")
    text = message.get("content")
    if not isinstance(text, str | None):
        raise MalformedError(f"the reply's content is no text: {text!r:.80}")
    return Reply(
        text=text or refusal or "",
        finish_reason="refusal" if refusal else str(choice.get("finish_reason") or ""),
        model=str(value.get("model") or ""),
        fingerprint=str(value.get("system_fingerprint") or ""),
        tokens_in=int(usage.get("prompt_tokens") or 0),
        tokens_out=int(usage.get("completion_tokens") or 0),
    )
