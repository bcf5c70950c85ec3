"""The sentences of a result, in English and Chinese, out of words.en.yaml and words.zh.yaml."""

from functools import cache
from pathlib import Path

import yaml


@cache
def wordings(language: str) -> dict[str, str]:
    """Return key -> sentence of a language."""
    text = (Path(__file__).parent / f"words.{language}.yaml").read_text("utf-8")
    found: dict[str, str] = yaml.safe_load(text)
    return found


def say(language: str, key: str, **values: object) -> str:
    """Return the sentence `key` in a language, with its values."""
    return wordings(language)[key].format(**values)
