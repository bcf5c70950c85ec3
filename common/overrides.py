"""SET="key=value key=value": overrides as a user types them."""

import shlex
from collections.abc import Mapping
from typing import Any

import orjson
import yaml

from common.errors import UserError
from common.yaml_files import Loader

HOW = 'write SET="key=value key=value"'


def parse_settings(text: str) -> dict[str, Any]:
    """Turn `key=value key="a b"` into a dict; values are read as YAML (1e-4, true, [a, b], null)."""
    settings, malformed = split_settings(text)
    if malformed:
        raise UserError(f"SET holds what is not key=value: {', '.join(map(repr, malformed))}", HOW)
    return settings


def unchecked(text: str) -> dict[str, Any]:
    """Return the settings for schema.build, which reports a word that is not key=value among the other mistakes."""
    settings, malformed = split_settings(text)
    return {**settings, **dict.fromkeys(malformed, ...)}


def split_settings(text: str) -> tuple[dict[str, Any], list[str]]:
    """Return the settings, and the words that are none."""
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise UserError(f"SET cannot be read: {error}: {text!r}", HOW) from None
    malformed = [word for word in words if not word.partition("=")[0] or "=" not in word]
    pairs = (word.partition("=") for word in words if word not in malformed)
    return {key: _value(value) for key, _, value in pairs}, malformed


def _value(text: str) -> Any:
    try:
        return yaml.load(text, Loader=Loader)
    except yaml.YAMLError:
        return text


def as_set(settings: Mapping[str, Any]) -> str:
    """Write settings as SET takes them: the other way round."""
    return " ".join(shlex.quote(f"{key}={_scalar(value)}") for key, value in settings.items())


def _scalar(value: Any) -> str:
    if isinstance(value, str) and _value(value) == value:
        return value
    return repr(value) if isinstance(value, float) else orjson.dumps(value).decode()
