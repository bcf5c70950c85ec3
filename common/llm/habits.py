"""What an endpoint was found to want, or to do: told by its refusals, and heeded by the calls that follow."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from common.llm.failures import Failure
from common.progress import notice

RENAMED = {"max_tokens": "max_completion_tokens"}
"""How a setting that is refused is said to newer models; others are left out."""


@dataclass
class Habits:
    """The ways of one endpoint."""

    renamed: dict[str, str | None] = field(default_factory=dict)
    """Setting -> what it is called there, None: it is left out."""
    extra: dict[str, Any] = field(default_factory=dict)
    most_tokens: int = 0
    """The largest max_tokens that it takes; 0: not known."""
    needs_room: bool = False
    """It thinks, or a reply of it was cut off."""

    def learn(self, failure: Failure, sent: Mapping[str, Any], url: str) -> None:
        """Remember what was refused of the settings that were sent."""
        name = failure.parameter
        ours = next((ours for ours, theirs in self.renamed.items() if theirs == name), name)
        numbers = [int(number) for number in re.findall(r"(?<![-\w.])\d+", failure.message)]
        smaller = [number for number in numbers if 1 < number < (sent.get(name) or 0)]
        other, is_room = RENAMED.get(name), name in RENAMED.values() or name in RENAMED
        if is_room and other and (other in failure.message or not smaller):
            self.renamed[ours] = other
        elif is_room and smaller:
            self.most_tokens = max(smaller)
            notice(f"{url} takes max_tokens up to {self.most_tokens}: longer replies are cut off there")
        elif name == "enable_thinking" and name not in sent:
            self.extra[name] = False
        else:
            self.renamed[ours] = None
