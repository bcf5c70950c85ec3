"""Which model is asked, and where: `model@URL`, OPENAI_BASE_URL, OPENAI_API_KEY, EXTRA."""

import os
import re
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import orjson

from common.errors import UserError
from common.llm.prices import OPENAI, is_local

TIMEOUT = 180.0
LOCAL_TIMEOUT = 1800.0  # a server on this machine may take its calls one after the other, the last waiting for all


def split_model(name: str, what: str = "JUDGE") -> tuple[str, str]:
    """Return the model and the URL ("" for none) of `model` or `model@http://...`; a model's name may hold an @."""
    found = re.fullmatch(r"(.+?)@(https?://.*)", name, re.DOTALL)
    model, url = (found[1], found[2]) if found else (name, "")
    if not url and (place := re.search(r"@([\w.-]+:\d+|localhost)(/.*)?$", name)):
        raise UserError(f"{place[0][1:]!r} is not a URL", f"write it like {what}=model@http://127.0.0.1:8000/v1")
    if not model or re.fullmatch(r"@.*://.*", model):
        raise UserError(f"{what}={name!r} names no model", f"{what}=gpt-6-luna or {what}=model@http://host:8000/v1")
    return model, url


def extra_body() -> dict[str, Any]:
    """Return what EXTRA adds to every call's body: EXTRA='{"enable_thinking": false, "reasoning_effort": "low"}'."""
    given = os.environ.get("EXTRA", "").strip()
    try:
        extra = orjson.loads(given or "{}")
        if not isinstance(extra, dict):
            raise ValueError("it is no object")
    except ValueError as error:
        raise UserError(
            f"EXTRA is no JSON object ({error}): {given}", """write it like EXTRA='{"enable_thinking": false}'"""
        ) from None
    return extra


@dataclass(frozen=True)
class Endpoint:
    """A model behind a URL. `identity` names it in the cache (default: URL and model)."""

    model: str
    url: str = OPENAI
    key: str = field(default="", repr=False)
    identity: str = ""
    timeout: float = TIMEOUT
    extra: dict[str, Any] = field(default_factory=dict, hash=False)  # what is added to the body of every call

    @classmethod
    def from_environment(cls, model: str, url: str = "", *, needs_key: bool = True) -> "Endpoint":
        """Build an endpoint from OPENAI_BASE_URL, OPENAI_API_KEY and EXTRA; the key never leaves the process.

        `needs_key` is False where nothing is sent, so that a price can be seen without an account.
        """
        old_name = os.environ.get("OPENAI_API_BASE", "")
        if old_name and not url and not os.environ.get("OPENAI_BASE_URL"):
            raise UserError(
                f"OPENAI_API_BASE={old_name} is not read: its name is OPENAI_BASE_URL today",
                f"export OPENAI_BASE_URL={old_name}, or unset OPENAI_API_BASE",
            )
        url = (url or os.environ.get("OPENAI_BASE_URL", "") or OPENAI).rstrip("/")
        try:
            parts = urlsplit(url)
            if parts.scheme not in ("http", "https") or not parts.hostname or parts.port == 0:
                raise ValueError
        except ValueError:
            raise UserError(f"not a URL: {url!r}", "write it like http://127.0.0.1:8000/v1") from None
        if "api-version=" in url or (parts.hostname.endswith(".openai.azure.com") and "/v1" not in parts.path):
            raise UserError(
                f"Azure is asked at its own /openai/v1, without api-version: {parts.scheme}://{parts.hostname}{parts.path}",
                f"write {parts.scheme}://{parts.hostname}/openai/v1, and the deployment's name as the model",
            )
        if "@" in parts.netloc or "?" in url:  # it would stand in files and messages
            raise UserError("a URL must hold no password and no key", "put the key into OPENAI_API_KEY")
        key = os.environ.get("OPENAI_API_KEY", "").strip()
        if not (key.isascii() and key.isprintable()):
            raise UserError("OPENAI_API_KEY holds characters that no key has", "copy it anew, without blanks or quotes")
        if not key and url == OPENAI and needs_key:
            raise UserError(f"{model} needs OPENAI_API_KEY", "export OPENAI_API_KEY=..., or name another URL")
        timeout = LOCAL_TIMEOUT if is_local(url) else TIMEOUT
        return cls(model, url, key, timeout=timeout, extra=extra_body())

    @property
    def cache_name(self) -> str:
        """Return what stands for this model in cache keys."""
        return self.identity or f"{self.url} {self.model}"
