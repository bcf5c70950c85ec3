"""Texts out of Jinja templates: a name that a template does not know is an error, a line of logic leaves no blank."""

from functools import cache
from pathlib import Path
from typing import Any


@cache
def environment(folder: Path) -> Any:
    """Return what reads a folder's templates."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    return Environment(
        loader=FileSystemLoader(folder), undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True,
        keep_trailing_newline=True, autoescape=False,
    )  # fmt: skip


def fill(template: Path, **facts: Any) -> str:
    """Return what a template makes of some facts."""
    return str(environment(template.parent).get_template(template.name).render(facts))
