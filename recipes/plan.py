"""Numbered checks before anything is paid for: data, template, hardware, memory, disk, time, packages, licence. Pure.

What they need to know of this machine is collected by recipes/surroundings.py. A check is passed (✓), failed (✗), or
could not be decided here (⊘); training does not start on a failed one.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from common.errors import UserError, nearest
from recipes.catalog import methods
from recipes.compatible import conflicts, wrong_form
from recipes.cutoff import warning
from recipes.duration import in_words, seconds
from recipes.memory import Estimate, estimate
from recipes.render import Recipe
from recipes.unknown_model import template_hint

OK, BAD, OPEN = "✓", "✗", "⊘"
RAY_CORES = 10
"""CPU cores that LLaMA-Factory's Ray mode reserves for each device; with fewer, it waits for them forever."""
PRECISIONS = {"pure_bf16": "bfloat16", "bf16": "bfloat16", "fp16": "float16"}
ADAPTER_CHECKPOINT_GB = 0.5
LOGS_GB = 0.2


@dataclass(frozen=True)
class Surroundings:
    """What was found out about the rows, the model and the machine."""

    form: str = ""
    """The form of the rows (compatible.ROWS); "" when they are not converted yet."""
    source: str = ""
    lengths: Mapping[str, Any] = field(default_factory=dict)
    """Characters of the training rows, as their card has them."""
    templates: tuple[str, ...] = ()
    own_template: bool | None = None
    """Whether the model folder has a chat template of its own; None when it is not here yet."""
    downloaded: bool = False
    disk_free_gb: float = 0.0
    missing_packages: tuple[str, ...] = ()
    has_token: bool = False
    mirror: str = ""
    """Another hub (HF_ENDPOINT or ModelScope), whose rules are its own."""
    hardware_why: str = ""
    ray: bool = False
    """Whether LLaMA-Factory's Ray mode was asked for (USE_RAY)."""
    cpu_cores: int = 0


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
        _template(recipe, around),
        _hardware(recipe, around),
        _memory(recipe),
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
    if failed and not force:
        raise UserError(
            f"the plan above shows what cannot work: {', '.join(check.title for check in failed)}",
            next((check.hint.splitlines()[0] for check in failed if check.hint), "mend that")
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


def _template(recipe: Recipe, around: Surroundings) -> Check:
    name = recipe.settings.get("template")
    if name and name not in around.templates:
        return Check("template", BAD, f"LLaMA-Factory has no template {name!r}", nearest(name, around.templates))
    if name:
        return Check("template", OK, f"{name}, LLaMA-Factory's own")
    if around.own_template is False:
        hint = template_hint(recipe.backbone.architecture)
        return Check("template", BAD, f"{recipe.model_path} has no chat template", hint)
    status = OK if around.own_template else OPEN
    return Check("template", status, "the one in the model's tokenizer" + ("" if around.own_template else ", not here"))


def _hardware(recipe: Recipe, around: Surroundings) -> Check:
    hardware = recipe.hardware
    wrong = conflicts(recipe.method, hardware, recipe.settings)
    if wrong:
        return Check("hardware", BAD, "; ".join(wrong))
    cores = RAY_CORES * hardware.devices
    if around.ray and hardware.nodes == 1 and around.cpu_cores < cores:
        words = f"LLaMA-Factory's Ray mode waits forever for {cores} CPU cores, {RAY_CORES} a device; this machine has"
        return Check("hardware", BAD, f"{words} {around.cpu_cores}", "leave USE_RAY out: torchrun does without")
    many = f" x {hardware.devices} on {hardware.nodes} machines" if hardware.nodes > 1 else f" x {hardware.devices}"
    count = many if hardware.devices * hardware.nodes > 1 else ""
    precision = next((name for key, name in PRECISIONS.items() if recipe.settings.get(key)), "float32")
    return Check("hardware", OK, f"{hardware.title}{count}, {precision}; {around.hardware_why}")


def expected_memory(recipe: Recipe) -> Estimate | None:
    """Return the memory estimate, None when the model's shape is not known."""
    shape = recipe.backbone.shape
    return estimate(shape, recipe.settings, recipe.hardware) if shape else None


def expected_seconds(recipe: Recipe) -> float:
    """Return the time estimate in seconds, 0 when it cannot be told."""
    shape = recipe.backbone.shape
    return seconds(shape, recipe.settings, recipe.hardware, recipe.data) if shape else 0.0


def _memory(recipe: Recipe) -> Check:
    needed, room = expected_memory(recipe), recipe.hardware.memory_gb
    if needed is None:
        return Check("memory", OPEN, "the shape of this model is not known here")
    if not room:
        return Check("memory", OPEN, f"{needed.sentence()}; how much there is, this profile does not say")
    where = "RAM" if recipe.hardware.kind == "cpu" else "card"
    words = f"{needed.sentence()} of {room:.1f} GiB on the {where}"
    verdict = needed.verdict(room)
    if verdict == "fits":
        return Check("memory", OK, words)
    hint = "\n".join(suggestions(recipe))
    if verdict == "unsure":
        return Check("memory", OPEN, f"{words}: may be too much", hint)
    return Check("memory", BAD, f"{words}: too much", hint or "no setting makes it fit: a smaller MODEL, or more GPUS")


def suggestions(recipe: Recipe) -> list[str]:
    """Return changes that would make it fit, the smallest first."""
    return [f"{words} would take {total:.1f} GiB" for words, total in _fitting(recipe)][:3]


def _fitting(recipe: Recipe) -> Iterator[tuple[str, float]]:
    cutoff = recipe.settings["cutoff_len"]
    tries: list[tuple[str, Recipe]] = [
        (f'SET="{key}={str(value).lower()}"', replace(recipe, overrides={**recipe.overrides, key: value}))
        for key, value in [
            ("per_device_train_batch_size", 1),
            ("disable_gradient_checkpointing", False),
            ("enable_liger_kernel", True),
            ("cutoff_len", cutoff // 2),
            ("cutoff_len", cutoff // 4),
        ]
        if recipe.settings.get(key, value) != value and (key != "enable_liger_kernel" or recipe.backbone.liger)
    ]
    if recipe.method.stage == "sft":
        tries += [(f"METHOD={name}", replace(recipe, method=methods()[name])) for name in ("lora", "qlora")]
    if recipe.hardware.kind == "cuda":
        more = [count for count in (2, 4, 8) if count > recipe.hardware.devices]
        tries += [
            (f"GPUS={count}", replace(recipe, hardware=replace(recipe.hardware, devices=count))) for count in more
        ]
    for words, other in tries:
        needed = expected_memory(other)
        if needed and needed.verdict(other.hardware.memory_gb) == "fits":
            spread = other.settings.get("deepspeed") or other.settings.get("fsdp_config") or ""
            how = spread.rpartition("/")[2].removesuffix(".json")
            yield words + (f" ({how})" if how else ""), needed.total


def disk_gb(recipe: Recipe, downloaded: bool) -> float:
    """Estimate the disk a run takes, GB: the download, checkpoints, the exported model."""
    shape = recipe.backbone.shape
    weights = 2 * shape.parameters / 1e9 if shape else 0.0
    checkpoint = ADAPTER_CHECKPOINT_GB if recipe.method.adapter else 7 * weights  # float32 with two moments
    return weights * (1 if downloaded else 2) + 2 * checkpoint + LOGS_GB


def _disk(recipe: Recipe, around: Surroundings) -> Check:
    needed = disk_gb(recipe, around.downloaded)
    words = f"about {needed:.0f} GB for model, checkpoints and export; {around.disk_free_gb:.0f} GB are free"
    if recipe.backbone.shape is None:
        return Check("disk", OPEN, words.replace("about", "more than", 1))
    if needed > around.disk_free_gb:
        return Check("disk", BAD, words, "free some, or set HF_HOME to a larger disk")
    return Check("disk", OK, words)


def _time(recipe: Recipe) -> Check:
    expected = expected_seconds(recipe)
    if not expected:
        return Check("time", OPEN, "rows, model or card are not known well enough")
    low, high = in_words(expected / 2), in_words(expected * 2)
    return Check("time", OK, f"about {in_words(expected)} ({low} to {high}), downloads not counted")


def _packages(recipe: Recipe, around: Surroundings) -> Check:
    if around.missing_packages:
        names = " ".join(around.missing_packages)
        return Check("packages", BAD, f"not installed: {names}", f".venv/bin/pip install {names}")
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
