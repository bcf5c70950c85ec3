"""What an OpenAI-compatible endpoint answered, read strictly."""

from dataclasses import dataclass, field
from typing import Any

import orjson

from common.llm.failures import MalformedError, RefusedError, number

# How servers say that a reply ends where it may grow no longer, that a filter held it back, and that it broke off.
CUT_OFF = (
    "length", "max_tokens", "max_output_tokens", "model_length", "max_length", "token_limit", "time_limit",
    "model_context_window_exceeded", "error_limit",
)  # fmt: skip
FILTERED = (
    "content_filter", "content_filtered", "refusal", "safety", "recitation", "blocklist", "prohibited_content",
    "sensitive", "guardrail_intervened", "spii", "error_toxic",
)  # fmt: skip
BROKEN_OFF = ("error", "network_error", "insufficient_system_resource", "abort", "aborted", "cancelled", "timeout")
THOUGHTS = ("reasoning_content", "reasoning", "reasoning_details", "thinking", "thinking_blocks")
"""Where servers put what a model thought before it answered."""


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
    thought: bool = False  # it thought before it answered, in a channel of its own

    @property
    def said(self) -> str:
        """Return the text without the thinking before it, which many servers leave in; "" when it is all thinking."""
        _, end, after = self.text.rpartition("</think>")
        if end:
            return after.strip()
        return "" if self.text.lstrip().startswith("<think>") else self.text


def read_completion(body: bytes) -> Reply:
    """Read a chat completion; RefusedError when the body holds an error instead, MalformedError when it is neither."""
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError:
        shown = body[:80].decode(errors="replace")
        streamed = ": it streams, though it was not asked to" if body.startswith(b"data:") else ""
        raise MalformedError(f"the reply is no chat completion{streamed}: {shown!r}") from None
    error = (value.get("error") or value.get("base_resp") or value) if isinstance(value, dict) else None
    try:
        choice = value["choices"][0]
        message = choice["message"]
        finish = str(choice.get("finish_reason") or "").partition(":")[0]  # content_filter: SAFETY
        refusal, (text, thinking) = message.get("refusal"), _parts(message.get("content"))
    except (KeyError, IndexError, TypeError, AttributeError):
        refused = RefusedError(error)
        if str(refused):
            raise refused from None
        raise MalformedError(f"the reply is no chat completion: {body[:80].decode(errors='replace')!r}") from None
    usage = value.get("usage") if isinstance(value.get("usage"), dict) else {}
    details = usage.get("completion_tokens_details")
    if finish.lower() in BROKEN_OFF:
        raise RefusedError(choice.get("error") or value.get("error") or f"the reply ended with {finish}")
    return Reply(
        text=text or (refusal if isinstance(refusal, str) else ""),
        finish_reason="refusal" if refusal else finish,
        model=str(value.get("model") or ""),
        fingerprint=str(value.get("system_fingerprint") or ""),
        tokens_in=number(usage.get("prompt_tokens")),
        tokens_out=number(usage.get("completion_tokens")),
        thought=bool(
            thinking
            or "<think>" in text
            or any(message.get(name) for name in THOUGHTS)
            or (isinstance(details, dict) and number(details.get("reasoning_tokens")))
        ),
    )


def _parts(content: Any) -> tuple[str, bool]:
    """Return the text of a message's content, which may come in parts, and whether a part of it is thinking."""
    if content is None or isinstance(content, str):
        return content or "", False
    if not isinstance(content, list) or not all(isinstance(part, dict | str) for part in content):
        raise MalformedError(f"the reply's content is no text: {content!r:.80}")
    texts = [part if isinstance(part, str) else part.get("text") for part in content]
    thinking = any(isinstance(part, dict) and "think" in f"{part.get('type')}" for part in content)
    return "".join(text for text in texts if isinstance(text, str)), thinking
