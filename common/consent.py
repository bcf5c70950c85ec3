"""Before something is paid for, replaced or deleted: a question in a terminal, in a script a word of the command."""

import os
import sys
from math import ceil

import click

from common.errors import UserError
from common.subprocesses import STEP

CHEAP = 1.0  # US dollars that are spent without a question


def ask(what: str, way: str, given: bool = False) -> None:
    """Return when a person agrees to what is about to happen; UserError at a no, and where nobody is there to be asked.

    `given` is their yes on the command line. A step of a longer command was agreed to when that one was started.
    """
    if given or os.environ.get(STEP):
        return
    if not sys.stdin.isatty():
        raise UserError(what, way)
    if not click.confirm(f"{what}. Go on?"):
        raise UserError("nothing was done", way)


def to_pay(dollars: float, budget: float | None) -> None:
    """Ask before much is spent that no BUDGET caps."""
    if dollars > CHEAP and budget is None:
        ask(f"this costs about ${dollars:.2f}, and no BUDGET was given", f"BUDGET={ceil(1.5 * dollars)} allows it")
