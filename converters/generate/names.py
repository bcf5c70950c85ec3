"""TASK=law_zh+self_instruct@0.3: a task, a part of it, and how much of that. Pure, and imports nothing heavy."""

import re
from dataclasses import dataclass

from common.errors import UserError

MIX = re.compile(r"(?P<base>.+)\+(?P<part>[^+@]+)(?:@(?P<amount>[^+@]+))?")


@dataclass(frozen=True)
class MixName:
    """The name of a mix. `amount` is the share of generated rows, or the lowest score; None for the default."""

    base: str
    part: str
    amount: float | None

    @classmethod
    def parse(cls, name: str) -> "MixName":
        """Read the name of a mix; UserError when it is none."""
        found = MIX.fullmatch(name)
        try:
            if found is None:
                raise ValueError
            return cls(found["base"], found["part"], float(found["amount"]) if found["amount"] else None)
        except ValueError:
            raise UserError(
                f"TASK={name!r} names no mix", "law_zh+self_instruct, law_zh+self_instruct@0.3 or law_zh+scored@4"
            ) from None


def is_mix(name: str) -> bool:
    """Tell whether a task's name is that of a mix."""
    return "+" in name


def root_of(name: str) -> str:
    """Return the task that a mix started from."""
    return name.partition("+")[0]
