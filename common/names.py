"""How the names of tasks are put together: law_zh, its variant law_zh~raw, its mix law_zh+self_instruct@0.3. Pure."""

import re
from dataclasses import dataclass

from common.errors import UserError

VARIANT = "~"  # stands between a task and the name of other settings for its training rows (converters/variants.py)
MIX = "+"  # stands between a task and a part that is mixed with its rows (converters/generate/mixing.py)
MIX_NAME = re.compile(r"(?P<base>.+)\+(?P<part>[^+@]+)(?:@(?P<control>random)?(?P<amount>\d+(?:\.\d+)?)?(?<!@))?")


@dataclass(frozen=True)
class MixName:
    """The name of a mix, taken apart."""

    base: str
    part: str
    amount: float | None  # the share or the number of generated rows, or the lowest score; None for the default
    control: bool = False  # random rows in place of those that the score selects, as many

    @classmethod
    def parse(cls, name: str) -> "MixName":
        """Read the name of a mix; UserError when it is none."""
        found = MIX_NAME.fullmatch(name)
        if found is None:
            raise UserError(
                f"TASK={name!r} names no mix", "law_zh+self_instruct, law_zh+self_instruct@0.3 or law_zh+scored@4"
            )
        return cls(found["base"], found["part"], float(found["amount"]) if found["amount"] else None,
                   bool(found["control"]))  # fmt: skip


def root_task(name: str) -> str:
    """Return the task that a variant or a mix started from: its questions and its converter are theirs too."""
    return re.split(f"[{re.escape(VARIANT + MIX)}]", name, maxsplit=1)[0]
