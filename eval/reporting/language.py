"""The report's words in English or Chinese: templates over measured facts, in `templates/en.yaml` and `zh.yaml`."""

from collections.abc import Sequence
from functools import cache, partial
from pathlib import Path
from typing import Any

import yaml

from common.errors import UserError, nearest
from eval.result.wording import say

TEMPLATES = Path(__file__).with_name("templates")
LANGUAGES = ("en", "zh")


class Language:
    """One language: `tell("key", fact=...)` is a sentence, `tell.term("run")` what a column or a cell is called."""

    def __init__(self, name: str) -> None:
        from jinja2 import Environment, StrictUndefined

        if name not in LANGUAGES:
            hint = nearest(name, LANGUAGES) or f"LANGUAGE={' or LANGUAGE='.join(LANGUAGES)}"
            raise UserError(f"there is no report in {name!r}", hint)
        self.name = name
        self.words: dict[str, Any] = yaml.safe_load((TEMPLATES / f"{name}.yaml").read_text(encoding="utf-8"))
        self.result = partial(say, name)
        """The sentences of a single result."""
        environment = Environment(undefined=StrictUndefined, autoescape=False)
        environment.filters["names"] = self.names
        self._template = cache(lambda key: environment.from_string(self.words[key]))

    def __call__(self, key: str, **facts: Any) -> str:
        """Return the sentence `key`, on one line."""
        return " ".join(self._template(key).render(facts).split())

    def term(self, word: Any) -> Any:
        """Return what a heading of a table, or a cell that is a word, is called; names and figures stay."""
        return self.words["terms"].get(word, word)

    @staticmethod
    def join(sentences: Sequence[str]) -> str:
        """Return sentences as one text; Chinese ones have no blank between them."""
        return "".join(f"{said} " if said[-1:].isascii() else said for said in sentences).strip()

    def names(self, names: Sequence[Any]) -> str:
        """Return "a, b and c"."""
        *first, last = map(str, names or (self.words["nothing"],))
        return f"{self.words['comma'].join(first)}{self.words['and']}{last}" if first else last
