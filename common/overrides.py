"""SET="key=value key=value": overrides as a user types them."""

import shlex
from collections.abc import Mapping
from typing import Any

import orjson
import yaml

from common.errors import UserError
from common.yaml_files import Loader

MALFORMED = ...  # the value of a word that is not key=value
HOW = 'write SET="key=value key=value"'


def parse_settings(text: str) -> dict[str, Any]:
    """Turn `key=value key="a b"` into a dict; values are read as YAML (1e-4, true, [a, b], null)."""
    settings = unchecked(text)
    if malformed := [word for word, value in settings.items() if value is MALFORMED]:
        raise UserError(f"SET holds what is not key=value: {', '.join(map(repr, malformed))}", HOW)
    return settings


def unchecked(text: str) -> dict[str, Any]:
    """Return the settings for schema.build, which reports a word that is not key=value among the other mistakes."""
    try:
        words = [(word, *word.partition("=")) for word in shlex.split(text)]
    except ValueError as error:
        raise UserError(f"SET cannot be read: {error}: {text!r}", HOW) from None
    settings = {key: _value(value) for _, key, sign, value in words if key and sign}
    return settings | {word: MALFORMED for word, key, sign, _ in words if not (key and sign)}


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
