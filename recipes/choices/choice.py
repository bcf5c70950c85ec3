"""What a choice is: a value with its reason; and what is known of the rows when it is made."""

from dataclasses import dataclass
from typing import Any

CHARACTERS_PER_TOKEN = {"en": 4.2, "zh": 1.5}
"""Rough, for choices only: what the usual tokenizers of these languages reach."""


@dataclass(frozen=True)
class Choice:
    """One key of a recipe: its value and why it is so."""

    value: Any
    why: str = ""


@dataclass(frozen=True)
class DataFacts:
    """What is known of the rows before training. Lengths in characters of prompt and answer together."""

    rows: int = 0
    language: str = "en"
    mean_characters: float = 0.0
    longest_usual: float = 0.0
    """The 95th percentile."""
    has_val: bool = True
    """Whether there are rows to evaluate on while training."""

    def tokens(self, characters: float) -> int:
        """Estimate tokens from characters."""
        return round(characters / CHARACTERS_PER_TOKEN.get(self.language, 3.0)) + 30  # + the chat format


Choices = dict[str, Choice]


def values(choices: Choices) -> dict[str, Any]:
    """Return the keys and values alone."""
    return {key: choice.value for key, choice in choices.items()}
