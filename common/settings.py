"""SET="key=value key=value": overrides as a user types them."""

import shlex
from typing import Any

import yaml

from common.errors import UserError


def parse_settings(text: str) -> dict[str, Any]:
    """Turn `key=value key="a b"` into a dict; values are read as YAML (1e-4, true, [a, b], null)."""
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise UserError(f"SET cannot be read: {error}: {text!r}", 'write SET="key=value key=value"') from None
    problems = [word for word in words if not word.partition("=")[0] or "=" not in word]
    if problems:
        raise UserError(
            f"SET holds what is not key=value: {', '.join(map(repr, problems))}",
            'write SET="key=value key=value"',
        )
    return {key: _value(value) for key, _, value in (word.partition("=") for word in words)}


def _value(text: str) -> Any:
    try:
        return float(text) if _is_float(text) else yaml.safe_load(text)
    except yaml.YAMLError:
        return text


def _is_float(text: str) -> bool:
    """Tell whether `text` is a number with an exponent, which YAML 1.1 takes for a string (1e-4)."""
    try:
        float(text)
    except ValueError:
        return False
    return "e" in text.lower()
