"""The report's words in English or Chinese: templates over measured facts, in `templates/words.en.yaml` and `.zh`."""

from pathlib import Path
from typing import Any

from common.errors import UserError, nearest
from eval.result.wording import Wording, wording

TEMPLATES = Path(__file__).with_name("templates")
LANGUAGES = ("en", "zh")


class Language(Wording):
    """One language: `tell.term("run")` is what a column or a cell is called, `tell.result` says a single result."""

    def __init__(self, name: str) -> None:
        if name not in LANGUAGES:
            hint = nearest(name, LANGUAGES) or f"LANGUAGE={' or LANGUAGE='.join(LANGUAGES)}"
            raise UserError(f"there is no report in {name!r}", hint)
        super().__init__(name, TEMPLATES)
        self.result = wording(name)

    def term(self, word: Any) -> Any:
        """Return what a heading of a table, or a cell that is a word, is called; names and figures stay."""
        return self.words["terms"].get(word, word)
