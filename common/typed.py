"""The commands that made a folder, as they were typed: what a report prints for others to do it again."""

import os
import shlex
from pathlib import Path

import click
from click.core import ParameterSource

from common import make_words
from common.files import read_object, write_json

FILE = "commands.json"
WITHIN = "WHETSTONE_WITHIN"  # set for the steps of `make run`, which notes itself
CALLED = {"overrides": "SET", "nodes": "NNODES"}  # options that make calls otherwise


def line() -> str:
    """Return the click command that is running as it would be typed: for make, else for Python."""
    context = click.get_current_context()
    verb, words = context.info_name or "", {}
    takes = make_words.taken(make_words.MAKEFILE.read_text(encoding="utf-8"), [verb])
    for name, value in context.params.items():
        given = context.get_parameter_source(name) in (ParameterSource.COMMANDLINE, ParameterSource.ENVIRONMENT)
        if given and value and name != "force":
            text = " ".join(map(str, value)) if isinstance(value, tuple) else str(1 if value is True else value)
            words[CALLED.get(name, name.upper())] = text
    if words.keys() <= takes:
        return " ".join(["make", verb, *(f"{name}={shlex.quote(text)}" for name, text in words.items())])
    options = [f"--{name.lower().replace('_', '-')} {shlex.quote(text)}" for name, text in words.items()]
    return " ".join([context.command_path, *options])


def note(folder: Path, always: bool = False) -> None:
    """Keep the command that is running with what it made; one of the same kind is replaced."""
    context = click.get_current_context(silent=True)
    if context is None or (os.environ.get(WITHIN) and not always):
        return
    kind = " ".join([context.info_name or "", *map(str, (context.params.get(name) for name in ("who", "judge")))])
    path = folder / FILE
    kept = {key: typed for key, typed in read_object(path).items() if key != kind}
    write_json(path, kept | {kind: line()})


def lines(folder: Path) -> list[str]:
    """Return the commands that made a folder, in their order."""
    return list(read_object(folder / FILE).values())
