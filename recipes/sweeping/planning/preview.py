"""What a plan says before anything runs: what each run takes, whether it fits, what the judge will be asked."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations

from common.errors import UserError
from common.llm.default_judge import auto_judge, likely_dollars
from common.sweep_files import Plan, Run
from common.templates import fill
from recipes.estimate.duration import in_words
from recipes.preflight.checks import BAD, OPEN, checks
from recipes.preflight.surroundings import disk_gb, look_around, ram_held
from recipes.render import TEMPLATES
from recipes.sweeping.planning.resolve import content_key, recipe_of, without_repeats

MOST_TO_COMPARE_ALL = 6
"""Up to so many tuned models all meet all others."""

OTHER_RAM_GB = 12
"""For torch, the encoded rows and their workers."""


Problem = tuple[str, str]
"""A run's name, and why it cannot work; without a name, why all of them together cannot."""


def completed(plan: Plan) -> tuple[Plan, list[Problem]]:
    """Return the plan with what each run takes, and every run that cannot work, with the reason."""
    runs, problems, fetched = [], list[Problem](), set[str]()
    recipes = {run.id: recipe_of(run) for run in plan.runs}
    free = float("inf")
    for run in plan.runs:
        recipe = recipes[run.id]
        around = look_around(recipe)
        found = checks(recipe, around)
        problems += [(run.name, f"{check.title}: {check.words}") for check in found if check.status == BAD]
        memory, shape = recipe.memory, recipe.backbone.shape
        # of its machine: merging the export holds the whole model there
        ram = round(OTHER_RAM_GB + 1.2 * 2 * shape.parameters / 1e9 + ram_held(recipe)) if shape else None
        expected = {
            "memory_gib": round(memory.total, 2) if memory else None,
            "room_gib": round(recipe.hardware.memory_gb, 1),
            "unsure": any(check.title == "memory" and check.status == OPEN for check in found),
            "seconds": round(recipe.seconds),
            "dollars": recipe.dollars,
            "ram_gb": ram,
            "disk_gb": round(disk_gb(recipe, around.downloaded or recipe.model_path in fetched), 1),
        }
        fetched.add(recipe.model_path)
        free = min(free, around.disk_free_gb)
        devices = recipe.hardware.devices if recipe.hardware.kind == "cuda" else 0
        runs.append(replace(run, key=content_key(run, recipe), devices=devices, expected=expected))
    plan = without_repeats(replace(plan, runs=runs), recipes)
    if (needed := sum(run.expected["disk_gb"] for run in plan.runs)) > free:
        problems.append(("", f"disk: all runs together take about {needed:.1f} GB, {free:.1f} GB are free"))
    return plan, problems


def refuse(plan: Plan, problems: list[Problem]) -> None:
    """Raise when a run surely cannot work, unless the user insists."""
    if problems and not plan.force:
        told, way = cannot_work(problems)
        raise UserError(told, f"{way}; FORCE=1 tries all the same")


def cannot_work(problems: list[Problem]) -> tuple[str, str]:
    """Return which runs cannot work, and how to go on without them."""
    told = "\n  - ".join(["these runs cannot work:", *(": ".join(filter(None, problem)) for problem in problems)])
    names = " ".join(dict.fromkeys(run for run, _ in problems if run))
    return told, f'SKIP="{names}" leaves them out' if names else "fewer runs, or `keep: [adapter]`, take less disk"


def table(plan: Plan) -> str:
    """Return the plan as a person reads it: a line for each run, the totals below."""
    rows = [("run", "memory", "time", "disk", "folder")]
    for run in plan.runs:
        expected = run.expected
        room = f" of {expected['room_gib']}" if expected["room_gib"] else ""
        memory = f"{expected['memory_gib']}{room} GiB" if expected["memory_gib"] else "not known"
        memory += ", may be too much" if expected["unsure"] and expected["memory_gib"] and room else ""
        time = in_words(expected["seconds"]) if expected["seconds"] else "not known"
        rows.append((run.name, memory, time, f"{expected['disk_gb']} GB", run.folder))
    judges = [auto_judge() if name == "auto" else name for name in plan.judge.replace(",", " ").split()]
    met = [meetings(runs, plan.contestants) for task in plan.tasks if len(runs := plan.of_task(task)) > 1]
    count = 40 * (len(plan.runs) + sum(map(len, met)))  # each run against its base, then the models of a task
    return fill(
        TEMPLATES / "plan.txt.jinja", plan=plan, rows=aligned(rows), in_words=in_words, count=count,
        prices={judge: likely_dollars(judge, count, plan.max_tokens) for judge in judges},
    ).rstrip()  # fmt: skip


def meetings(runs: Sequence[Run], contestants: Sequence[str] = ()) -> list[tuple[str, str]]:
    """Return which models of one task are judged against each other.

    Of a few runs, all. Of more: each run meets its own baseline (the one of the same seed) and its base; baselines,
    bases and outside contestants meet one of them, so that one ranking links all.
    """
    models = [run.contestant for run in runs]
    others = list(dict.fromkeys([*(run.base for run in runs), *(name.partition("=")[0] for name in contestants)]))
    if len(runs) <= MOST_TO_COMPARE_ALL:
        return list(combinations([*models, *others], 2))
    starts = {run.id: run.contestant for run in runs if run.id == run.baseline}
    one = next(iter(starts.values()), others[0])
    pairs = [(run.contestant, starts[run.baseline]) for run in runs if run.baseline in starts]
    pairs += [(run.contestant, run.base) for run in runs]
    pairs += [(name, one) for name in (*starts.values(), *others)]
    return list({frozenset(pair): pair for pair in pairs if pair[0] != pair[1]}.values())


def aligned(rows: Sequence[tuple[str, ...]]) -> list[str]:
    """Return rows as lines, each column as wide as its widest cell."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  " + "  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]
