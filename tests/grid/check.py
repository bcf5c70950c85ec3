"""Every recipe through LLaMA-Factory's own parser, in one process: backbone x task x method x hardware.

Nothing is trained and no model is loaded. Machines that are not here are answered for by tests/grid/pretend_machine.py.
"""

import functools
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click

from common.errors import UserError, run_cli
from common.progress import Progress
from converters.registry import load_task, task_names
from recipes.catalog.catalog import Backbone, Hardware, backbones, hardware_profiles, methods
from recipes.catalog.datasets import DataFacts
from recipes.catalog.lookup import find_backbone, find_hardware, find_method
from recipes.llamafactory.keys import check_settings
from recipes.preflight.conflicts import conflicts, packages_of
from recipes.prepare.prepare import model_path
from recipes.recipe import Recipe
from recipes.render import render_all
from tests.grid.pairs import Row, all_of, every_pair
from tests.grid.pretend_machine import machine_with, stand_in_for_deepspeed

SEVERAL = {"t4": (2,), "24gb": (4,), "80gb": (8,)}
"""Profiles that are checked with several cards as well."""


@dataclass
class Report:
    """What came of a check."""

    checked: int = 0
    problems: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    render_seconds: float = 0.0
    parse_seconds: float = 0.0

    def text(self, what: str) -> str:
        """Return the whole result for a person."""
        lines = [f"  ✗ {problem}" for problem in self.problems]
        lines.append(
            f"checked {self.checked} recipes ({what}): {len(self.problems)} problems; "
            f"{len(self.refused)} combinations are refused with a reason; "
            f"rendered in {self.render_seconds:.1f} s, parsed in {self.parse_seconds:.0f} s"
        )
        return "\n".join(lines)


def factors(kinds: bool = False) -> dict[str, list[str]]:
    """Return the grid; `kinds`: one backbone of those that only differ in name and size, one task a language."""
    several = [f"{name} x{count}" for name, counts in SEVERAL.items() for count in counts]
    models = list({_kind(one): one.name for one in backbones().values()}.values()) if kinds else list(backbones())
    return {
        "model": models,
        "task": ["law_zh", "medical_en"] if kinds else task_names(),
        "method": list(methods()),
        "hardware": [*hardware_profiles(), *several],
    }


def _kind(backbone: Backbone) -> str:
    same = {"name", "hub", "modelscope", "shape", "context", "licence", "gated", "note", "twin", "serving"}
    return str(backbone.model_dump(exclude=same))


def recipe_of(row: Row) -> Recipe:
    """Return the recipe of one combination, for rows of a usual kind."""
    name, _, count = row["hardware"].partition(" x")
    task, backbone = load_task(row["task"]), find_backbone(row["model"])
    return Recipe(
        task=row["task"],
        backbone=backbone,
        method=find_method(row["method"]),
        hardware=find_hardware(name).model_copy(update={"devices": int(count or 1)}),
        data=DataFacts(task.rows or 10_000, task.language, 700, 1600),
        model_path=model_path(backbone),
        hardware_name=name,
    )


def check(rows: list[Row]) -> Report:
    """Render and parse every combination; problems are collected, not raised."""
    report = Report()
    rendered = []
    began = time.perf_counter()
    for row in rows:
        recipe = recipe_of(row)
        refusal = conflicts(recipe.method, recipe.hardware, recipe.settings)
        if refusal:
            report.refused.append(f"{_title(row)}: {'; '.join(refusal)}")
        else:
            rendered.append((row, recipe, render_all(recipe)))
    report.render_seconds = time.perf_counter() - began
    began = time.perf_counter()
    with Progress("parsing recipes", len(rendered)) as progress, _parser() as parse:
        for row, recipe, files in rendered:
            report.problems += [f"{_title(row)}: {problem}" for problem in parse(recipe, files)]
            report.checked += 1
            progress.step()
    report.parse_seconds = time.perf_counter() - began
    return report


def _title(row: Row) -> str:
    return " x ".join(row[name] for name in ("model", "task", "method", "hardware"))


Parse = Callable[[Recipe, dict[str, str]], list[str]]


@contextmanager
def _parser() -> Iterator[Parse]:
    """Yield the function that parses a recipe's files, in an empty folder, with LLaMA-Factory's words silenced."""
    os.environ["LLAMAFACTORY_VERBOSITY"] = "ERROR"
    stand_in_for_deepspeed()
    import transformers
    from llamafactory.hparams import parser as theirs

    transformers.logging.set_verbosity_error()

    # Making a parser of 400 keys takes far longer than using it, and it keeps nothing from one use to the next.
    before, theirs.HfArgumentParser = theirs.HfArgumentParser, _made_once(theirs.HfArgumentParser)
    home = Path.cwd()
    with tempfile.TemporaryDirectory() as folder, (Path(folder) / "log").open("w") as log:
        os.chdir(folder)  # a run of the same name that is already here is none of our business

        def parse(recipe: Recipe, files: dict[str, str]) -> list[str]:
            with redirect_stdout(log), redirect_stderr(log):
                return list(_problems(recipe, files))

        try:
            yield parse
        finally:
            os.chdir(home)
            theirs.HfArgumentParser = before


def _made_once(kind: Callable[[Any], Any]) -> Callable[[Any], Any]:
    @functools.cache
    def make(key: tuple[Any, ...]) -> Any:
        return kind(list(key))

    return lambda classes: make(tuple(classes) if isinstance(classes, list) else (classes,))


def _problems(recipe: Recipe, files: dict[str, str]) -> Iterator[str]:
    from llamafactory.data.template import TEMPLATES
    from llamafactory.hparams import get_infer_args, get_train_args
    from omegaconf import OmegaConf

    for name, text in files.items():
        if name.endswith(".json"):
            path = Path(recipe.folder) / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
    if recipe.backbone.template and recipe.backbone.template not in TEMPLATES:
        yield f"LLaMA-Factory has no template {recipe.backbone.template!r}"
    for name, text in files.items():
        if not name.endswith(".yaml"):
            continue
        training = name == "recipe.yaml"
        here = recipe.hardware if training else Hardware(name="cpu", title="cpu", kind="cpu")
        read: Any = get_train_args if training else get_infer_args
        try:
            settings: Any = OmegaConf.to_container(OmegaConf.create(text))
            check_settings(settings, name)  # types, which theirs takes as they come
            with machine_with(here, packages_of(recipe.method.needs, recipe.settings)):
                read(settings)
        except Exception as error:  # whatever theirs raises is a problem to report, with all the others
            yield f"{name}: {type(error).__name__}: {error}"


def run_check(everything: bool, kinds: bool) -> str:
    """Check the grid, or a set of it that holds every pair of values; raise when there is a problem."""
    grid = factors(kinds)
    rows = all_of(grid) if everything else every_pair(grid)
    what = " x ".join(f"{len(values)} {name}s" for name, values in grid.items())
    report = check(rows)
    text = report.text(f"all of {what}" if everything else f"every pair of {what}")
    if report.problems:
        raise UserError(text, "the recipe's own words: python -m recipes render with those names")
    return text


@click.command()
@click.option("--all", "everything", is_flag=True, help="Every combination (15 minutes), not only every pair.")
@click.option("--kinds", is_flag=True, help="One backbone of each kind, one task a language.")
def main(*, everything: bool, kinds: bool) -> None:
    """Put recipes of the whole grid through LLaMA-Factory's own parser; report all problems; trains nothing."""
    click.echo(run_check(everything, kinds))


if __name__ == "__main__":
    run_cli(main)
