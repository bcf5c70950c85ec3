"""Texts out of Jinja templates: a name that a template does not know is an error."""

from functools import cache
from pathlib import Path
from typing import Any


@cache
def environment(*folders: Path, trim: bool = True, escape: bool = False) -> Any:
    """Return what reads the templates of folders, the first that has one counts.

    `trim`: a line of logic leaves no blank line, and the last line end stays. `escape`: what is put is text in HTML.
    """
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    return Environment(
        loader=FileSystemLoader(folders), undefined=StrictUndefined, trim_blocks=trim, lstrip_blocks=trim,
        keep_trailing_newline=trim, autoescape=escape,
    )  # fmt: skip


def fill(template: Path, **facts: Any) -> str:
    """Return what a template makes of some facts."""
    return str(environment(template.parent).get_template(template.name).render(facts))
