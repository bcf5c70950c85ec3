"""What SET can set for generating, rewriting and scoring; all of it decides what the rows become."""

from typing import Annotated, Any, Literal

from pydantic import Field

from common.schema import Count, Schema, Share, Text

Positive = Annotated[int, Field(ge=1)]
Temperature = Annotated[float, Field(ge=0, le=2)]


class Asking(Schema):
    """What all three share."""

    temperature: Temperature = 0.0
    max_tokens: Positive = 1_024
    """Longest reply."""
    structured: bool = True
    """Ask for JSON by a schema; an endpoint that has none gets the same prompt without it."""

    def sampling(self) -> dict[str, Any]:
        """Return what is sent with each call."""
        return {"temperature": self.temperature, "max_tokens": self.max_tokens}


class Generating(Asking):
    """What SET can set for self-instruct."""

    temperature: Temperature = 1.0
    max_tokens: Positive = 4_096
    items: Annotated[int, Field(ge=1, le=100)] = 20
    """Tasks asked for by one call."""
    real: Count = 3
    """Real rows shown in each call."""
    generated: Count = 2
    """Rows generated so far that are shown in each call."""
    pool: Count = 175
    """Real rows from which those are drawn; new ones must differ from all of them."""
    words: Positive = 100
    """Longest input and longest output that is asked for, in words (characters: twice as many)."""
    similarity: Share = 0.7
    """ROUGE-L from which a new instruction is too similar to an earlier one."""
    compare: Literal["auto", "instruction", "prompt"] = "auto"
    """instruction, prompt (instruction and input), or auto: prompt where the real instructions repeat."""
    banned: Text = ""
    """A file of banned patterns of your own."""
    at_once: Positive = 8
    """Calls of one round, which all show the same rows generated so far."""
    patience: Positive = 10
    """Calls in a row without one new row after which to stop."""
    seed: int = 0
    """Another seed, other examples shown."""

    def told(self) -> dict[str, Any]:
        """Return what the prompt says of these settings."""
        return {"count": self.items, "words": self.words, "structured": self.structured}


class Rewriting(Asking):
    """What SET can set for rewriting answers."""

    below: Count = 0
    """Rewrite only answers of fewer characters (0: all)."""


class Scoring(Asking):
    """What SET can set for scoring rows."""

    max_tokens: Positive = 300
