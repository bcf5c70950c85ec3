"""Numbered checks before anything is paid for: data, template, hardware, memory, disk, time, packages, licence. Pure.

What they need to know of this machine is collected by surroundings.py. A check is passed (✓), failed (✗), or could
not be decided here (⊘); training does not start on a failed one.
"""

from dataclasses import dataclass

from common import tracking
from common.errors import UserError, nearest
from recipes.catalog.catalog import methods
from recipes.catalog.datasets import TOKENS_UNTIL_KNOWN
from recipes.catalog.prices import price_per_hour
from recipes.catalog.unknown_model import template_hint
from recipes.estimate.cutoff import warning
from recipes.estimate.duration import in_words
from recipes.estimate.memory import computed
from recipes.llamafactory.keys import known_templates
from recipes.preflight.conflicts import conflicts, wrong_form
from recipes.preflight.suggest import shorter, suggestions
from recipes.preflight.surroundings import Surroundings, disk_gb, ram_held
from recipes.recipe import Recipe

DAY = 86_400
OK, BAD, OPEN = "✓", "✗", "⊘"
RAY_CORES = 10
"""CPU cores that LLaMA-Factory's Ray mode reserves for each device; with fewer, it waits for them forever."""


@dataclass(frozen=True)
class Check:
    """One line of the plan."""

    title: str
    status: str
    words: str
    hint: str = ""


def checks(recipe: Recipe, around: Surroundings) -> list[Check]:
    """Return all checks, whatever the first of them say."""
    return [
        _data(recipe, around),
        *_model(recipe, around),
        *_recipe(around),
        _template(recipe, around),
        _hardware(recipe, around),
        _memory(recipe, around),
        _disk(recipe, around),
        _time(recipe),
        _packages(recipe, around),
        _licence(recipe, around),
    ]


def text(found: list[Check]) -> str:
    """Return the checks, numbered."""
    lines = []
    for number, check in enumerate(found, 1):
        lines.append(f"  [{number}/{len(found)}] {check.status} {check.title}: {check.words}")
        lines += [f"          {line}" for line in check.hint.splitlines()]
    return "\n".join(lines)


def refuse(found: list[Check], force: bool) -> None:
    """Raise when a check failed, unless the user insists."""
    failed = [check for check in found if check.status == BAD]
    if not failed or force:
        return
    titles = ", ".join(check.title for check in failed)
    only_room = all(check.title in ("memory", "disk") for check in failed)
    raise UserError(
        f"this run will not fit: {titles}" if only_room else f"this run cannot work: {titles}",
        next((check.hint.splitlines()[0] for check in failed if check.hint), "see the plan above")
        + " (FORCE=1 trains all the same)",
    )


def _data(recipe: Recipe, around: Surroundings) -> Check:
    if not around.form:
        return Check("data", OPEN, "the rows are not converted yet", f"make convert TASK={recipe.task}")
    wrong = wrong_form(recipe.method, around.form)
    if wrong:
        right = [method.name for method in methods().values() if method.rows == around.form]
        return Check("data", BAD, wrong, f"for these rows: METHOD={', '.join(right)}")
    cut = warning(around.lengths, recipe.data, recipe.settings["cutoff_len"])
    return Check("data", OK, f"{recipe.data.rows:,} rows from {around.source}", cut)


def _model(recipe: Recipe, around: Surroundings) -> list[Check]:
    """Return what is wrong with the model's files, nothing where they are whole or not here yet."""
    if not around.faults:
        return []
    more = f" and {len(around.faults) - 3} more" if len(around.faults) > 3 else ""
    hint = "fetch them again: `git lfs pull` in that folder, or `hf download` the model"
    return [Check("model", BAD, f"{recipe.model_path}: {'; '.join(around.faults[:3])}{more}", hint)]


def _recipe(around: Surroundings) -> list[Check]:
    """Return what is wrong with the recipe itself, nothing where LLaMA-Factory takes it."""
    wrong = [f"SET names what is not there: {name}" for name in around.absent]
    wrong += [f"LLaMA-Factory refuses it: {around.refused}"] if around.refused else []
    return [Check("recipe", BAD, "; ".join(wrong), "correct it in SET (docs/recipes.md)")] if wrong else []


def _template(recipe: Recipe, around: Surroundings) -> Check:
    name = recipe.settings.get("template")
    if name and name not in known_templates():
        return Check("template", BAD, f"LLaMA-Factory has no template {name!r}", nearest(name, known_templates()))
    if name:
        return Check("template", OK, f"{name}, LLaMA-Factory's own")
    if recipe.backbone.prepare:
        return Check("template", OK, f"its own, in {recipe.model_path}, where it is put and tried before training")
    if around.own_template:
        return Check("template", OK, "the one in the model's tokenizer")
    if around.own_template is None:
        return Check("template", OPEN, "the one in the model's tokenizer, not here")
    hint = template_hint(recipe.backbone.architecture)
    return Check("template", BAD, f"{recipe.model_path} has no chat template", hint)


def _hardware(recipe: Recipe, around: Surroundings) -> Check:
    hardware = recipe.hardware
    wrong = conflicts(recipe.method, hardware, recipe.settings)
    if wrong:
        return Check("hardware", BAD, "; ".join(wrong))
    if around.blind:
        has = f" (this machine has {around.driver})" if around.driver else ""
        hint = "update the driver, or bring a torch that it runs: make setup TORCH=keep takes this machine's own"
        return Check("hardware", BAD, f"{around.blind}{has}", hint)
    cores = RAY_CORES * hardware.devices
    if around.ray and hardware.nodes == 1 and around.cpu_cores < cores:
        words = f"LLaMA-Factory's Ray mode waits forever for {cores} CPU cores, {RAY_CORES} a device; this machine has"
        return Check("hardware", BAD, f"{words} {around.cpu_cores}", "leave USE_RAY out: torchrun does without")
    many = f" x {hardware.devices} on {hardware.nodes} machines" if hardware.nodes > 1 else f" x {hardware.devices}"
    count = many if hardware.devices * hardware.nodes > 1 else ""
    words = f"{hardware.title}{count}, {computed(recipe.settings)}; {recipe.hardware_why}"
    if "zero3" in str(recipe.settings.get("deepspeed")):
        return Check("hardware", OPEN, f"{words}; spread by DeepSpeed ZeRO-3, of which no run has been seen here")
    return Check("hardware", OK, words)


def _memory(recipe: Recipe, around: Surroundings) -> Check:
    needed, room = recipe.memory, recipe.hardware.memory_gb
    if needed is None:
        hint = "" if around.downloaded else f"make prepare MODEL={recipe.backbone.name} fetches the little that says it"
        return Check("memory", OPEN, "the shape of this model is not known here", hint)
    if not room:
        return Check("memory", OPEN, f"{needed.sentence()}; how much there is, this profile does not say")
    where = "of RAM" if recipe.hardware.kind == "cpu" else "on the card"
    words = f"{needed.sentence()} of {room:.1f} GiB {where}"
    if (ram := ram_held(recipe)) > around.ram_gb > 0:
        return Check("memory", BAD, f"{words}, and {ram:.0f} GiB of RAM, where this machine has {around.ram_gb:.0f}")
    words += f", and {ram:.0f} GiB of RAM" if ram else ""
    verdict = needed.verdict(room)
    if verdict == "fits":
        return Check("memory", OK, words)
    hint = "\n".join(suggestions(recipe))
    if verdict == "unsure":
        return Check("memory", OPEN, f"{words}: may be too much", hint)
    return Check("memory", BAD, f"{words}: too much", hint or "no setting makes it fit: a smaller MODEL, or more GPUS")


def _disk(recipe: Recipe, around: Surroundings) -> Check:
    needed = disk_gb(recipe, downloaded=True)
    download = disk_gb(recipe, around.downloaded) - needed
    here = needed + (download if around.hub_free_gb is None else 0)
    what = "model, checkpoints and export" if here > needed else "checkpoints and export"
    words = f"about {here:.0f} GB for {what}; {around.disk_free_gb:.0f} GB are free"
    if recipe.backbone.shape is None:
        return Check("disk", OPEN, words.replace("about", "more than", 1))
    if around.hub_free_gb is not None and download:
        words += f"; {download:.0f} GB for the model in the hub's cache, where {around.hub_free_gb:.0f} GB are free"
        if download > around.hub_free_gb:
            return Check("disk", BAD, words, "free some, or set HF_HOME to a folder on a larger disk")
    if here > around.disk_free_gb:
        hint = "free some" + (", or set HF_HOME to a folder on another disk" if here > needed else "")
        return Check("disk", BAD, words, hint)
    return Check("disk", OK, words)


def _time(recipe: Recipe) -> Check:
    expected = recipe.seconds
    if not expected:
        return Check("time", OPEN, "rows, model or card are not known well enough")
    low, high = in_words(expected / 2), in_words(expected * 2)
    words = f"about {in_words(expected)} ({low} to {high}), downloads not counted"
    if not recipe.data.rows:
        words += f"; for the {recipe.data.raw_rows:,} rows that there are, of {TOKENS_UNTIL_KNOWN} tokens"
    if price := price_per_hour(recipe.hardware):
        words += f"; ${recipe.dollars:.2f} at ${price.dollars:.2f} an hour ({price.source})"
    if expected <= DAY:
        return Check("time", OK, words)
    return Check("time", OPEN, f"{words}: more than a day", "\n".join(shorter(recipe)))


def _packages(recipe: Recipe, around: Surroundings) -> Check:
    if around.missing_packages:
        names = " ".join(around.missing_packages)
        return Check("packages", BAD, f"not installed: {names}", f".venv/bin/pip install -c constraints.txt {names}")
    if login := tracking.without_key(recipe.settings):
        return Check("packages", BAD, f"{recipe.settings['report_to']} has no key", login)
    return Check("packages", OK, "all that this recipe uses are installed")


def _licence(recipe: Recipe, around: Surroundings) -> Check:
    backbone = recipe.backbone
    licence = backbone.licence or "not known here: see the model's page"
    if not backbone.gated or around.downloaded:
        return Check("licence", OK if backbone.licence else OPEN, licence)
    page = f"accept it on the page of {backbone.hub}, then: hf auth login"
    if around.mirror:
        return Check("licence", OPEN, f"{licence}; gated on the Hugging Face hub, here from {around.mirror}")
    if not around.has_token:
        return Check("licence", BAD, f"{licence}; gated, and there is no token of the hub here", page)
    return Check(
        "licence", OPEN, f"{licence}; gated: a token is here, whether it has access only the hub can say", page
    )
