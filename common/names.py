"""How the names of tasks are put together: law_zh, its variant law_zh~raw, its mix law_zh+self_instruct@0.3. Pure."""

import re

VARIANT = "~"
"""Stands between a task and the name of other settings for its training rows (converters/variants.py)."""
MIX = "+"
"""Stands between a task and a part that is mixed with its rows (converters/generate/mixing.py)."""


def root_task(name: str) -> str:
    """Return the task that a variant or a mix started from: its questions and its converter are theirs too."""
    return re.split(f"[{re.escape(VARIANT + MIX)}]", name, maxsplit=1)[0]
