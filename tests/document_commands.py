"""What is wrong with a command of a document: a target, a variable, an option or a name that there is not."""

import re
import shlex
import subprocess
from collections.abc import Iterator
from functools import cache
from importlib import import_module
from itertools import pairwise
from string import Template

import click

from common.make_words import problems
from common.names import MIX, root_task
from common.overrides import parse_settings
from converters.generate.settings import Generating, Rewriting, Scoring
from converters.registry import load_task, task_names
from converters.settings import build_settings
from recipes.catalog.catalog import backbones, hardware_profiles, methods
from recipes.llamafactory.keys import known_keys
from tests.checkout import ROOT
from tests.documents import Command

MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
TARGETS = set(re.findall(r"^([a-z][a-z-]*):", MAKEFILE, re.M))
GROUPS = {"converters": "cli", "recipes": "main", "eval": "main"}
"""The packages that are commands, and what their click group is called."""
OWN_TASKS = {"treatments", "brief", "claims"}
"""Tasks of the reader's own, as docs/custom_tasks.md makes them."""
OWN_ROWS = {"my_pairs"}
"""Entries of the reader's own in dataset_info.json, as docs/recipes.md shows one."""
OWN_MODELS = {"my-model-7b"}
"""A backbone of the reader's own, as docs/backbones.md adds it."""


def wrong(command: Command) -> list[str]:
    """Return everything that is wrong with a command."""
    found = _wrong_make(command) if command.program.startswith("make ") else _wrong_python(command)
    return [f"{command.text}: {problem}" for problem in found]


def _wrong_make(command: Command) -> Iterator[str]:
    target = command.program.removeprefix("make ")
    if target not in TARGETS:
        yield f"make has no {target}"
        return
    yield from misnamed(command.given)
    yield from problems(MAKEFILE, [target], list(command.given))  # what make itself asks for by a process of its own
    for line in _dry_run(target, command.given) if command.block else []:
        if match := re.match(r"\S+ -m (converters|recipes|eval) (.*)", line):
            given = {name: value.replace('"', '\\"') for name, value in command.given.items()}
            yield from _unparsed(match[1], shlex.split(Template(match[2]).safe_substitute(given)), whole=True)


def _dry_run(target: str, given: dict[str, str]) -> list[str]:
    """Return the lines that make would run."""
    line = ["make", "-n", target, "PYTHON=true", *(f"{name}={value or 1}" for name, value in given.items())]
    return subprocess.run(line, cwd=ROOT, check=True, capture_output=True, text=True).stdout.splitlines()


def _wrong_python(command: Command) -> Iterator[str]:
    if command.program not in GROUPS:
        return
    words = [word.split("|")[0] for word in command.words]  # `--format a|b` shows the choices
    yield from _unparsed(command.program, words, whole=command.block)
    given = {name.removeprefix("--").upper(): value for name, value in pairwise(words) if name.startswith("--")}
    yield from misnamed(given)


def _unparsed(module: str, words: list[str], whole: bool) -> Iterator[str]:
    """Tell what click says against the words of `python -m module`; nothing of it is run."""
    main = _group(module)
    context = click.Context(main)
    if not words or _is_open(words[0]):
        return
    try:
        found = main.get_command(context, words[0])
        if found is None:
            yield f"python -m {module} has no command {words[0]}"
        else:
            found.make_context(words[0], words[1:], parent=context)
    except click.MissingParameter as error:
        if whole:
            yield error.format_message()
    except click.exceptions.Exit:  # --help
        pass
    except click.UsageError as error:
        yield error.format_message()


def misnamed(given: dict[str, str]) -> Iterator[str]:
    """Tell which of TASK, MODEL ... name nothing that there is."""
    known = {
        "TASK": lambda name: root_task(name.replace(",", "+")) in {*task_names(), *OWN_TASKS, *OWN_ROWS},
        "MODEL": lambda name: name in {*backbones(), *OWN_MODELS} or "/" in name,
        "METHOD": lambda name: name in methods(),
        "HARDWARE": lambda name: name in {"auto", *hardware_profiles()},
        "SWEEP": lambda name: (ROOT / (name if "." in name else f"recipes/sweeps/{name}.yaml")).is_file(),
        "SOURCE": lambda name: not name.startswith("converters/") or (ROOT / name).exists(),
    }
    for variable, is_known in known.items():
        for name in given.get(variable, "").split():
            if not (_is_open(name) or is_known(name)):
                yield f"{variable}={name} is not known"
    task, words = given.get("TASK", ""), shlex.split(given.get("SET", ""))
    if task not in OWN_TASKS:
        keys = parse_settings(shlex.join(word for word in words if word not in ("key=value", "...")))
        yield from (f"SET holds {key}" for key in keys if key not in _settable(task))


def _is_open(value: str) -> bool:
    """Tell whether a value stands for whatever the reader has: nothing, NAME, name, <name>, some/.../path."""
    return not value or bool(re.fullmatch(r"[A-Z_]+|name|<.*>|.*\.\.\..*", value))


def _settable(task: str) -> set[str]:
    """Return what SET can hold: keys of a recipe, of a conversion, of a generation, of a mix."""
    converted = {key for name in ([task] if task in task_names() else task_names()) for key in _of_conversion(name)}
    asking = {name for kind in (Generating, Rewriting, Scoring) for name in kind.model_fields}
    mixing = {"share", "threshold"} if MIX in task or not task else set()
    return {*known_keys(), *converted, *asking, *mixing}


@cache
def _of_conversion(task: str) -> set[str]:
    general, own = build_settings(load_task(task), {})
    return {*general.model_dump(), *own}


def _group(module: str) -> click.Group:
    found: click.Group = getattr(import_module(f"{module}.__main__"), GROUPS[module])
    return found


@cache
def every_option() -> set[str]:
    """Return all options of all commands."""
    return {option for module in GROUPS for option in _options(_group(module))}


def _options(command: click.Command | None) -> set[str]:
    assert command is not None
    found = {option for param in command.params for option in (*param.opts, *param.secondary_opts)}
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            found |= _options(command.get_command(context, name))
    return found
