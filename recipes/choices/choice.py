"""What a choice is: a value with its reason."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Choice:
    """One key of a recipe: its value and why it is so."""

    value: Any
    why: str = ""


Choices = dict[str, Choice]


def values(choices: Mapping[str, Choice]) -> dict[str, Any]:
    """Return the keys and values alone."""
    return {key: choice.value for key, choice in choices.items()}
