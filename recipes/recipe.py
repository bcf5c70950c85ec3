"""From the words that a user types to one Recipe: all that decides a training run, each name looked up once."""

import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from common.errors import UserError
from common.names import root_task
from common.overrides import as_set
from common.paths import CACHE, data_folder, run_folder
from common.process import only_one
from common.subprocesses import call
from common.tracking import PROJECT, TRACKERS
from recipes.catalog import unknown_model
from recipes.catalog.catalog import Backbone, Hardware, Method, backbones
from recipes.catalog.datasets import DataFacts, data_facts, find_task, is_own
from recipes.catalog.lookup import find_backbone, find_method
from recipes.catalog.machine import resolve_hardware
from recipes.catalog.prices import price_per_hour
from recipes.choices.batch import loaded_in, memory_of
from recipes.choices.choice import Choice, Choices, values
from recipes.choices.settings import choose
from recipes.estimate import duration
from recipes.estimate.memory import Estimate, served
from recipes.estimate.weights import saved_bytes
from recipes.llamafactory.keys import groups, read_settings
from recipes.prepare.download import ensure_config
from recipes.prepare.prepare import model_path

FORMAT_KEYS = groups()["format"]
THINKS = "THINK=1: it thinks first, which takes room and time, and no thought is judged"
ANSWERS = "both answer at once, behind an empty thought; THINK=1 lets both think"
BEHIND_A_THOUGHT = "rows without a thought are learnt behind an empty one, which unteaches no thinking"

SAVE_SECONDS = 900
"""Between two checkpoints: what a crash may cost."""
CHECKPOINTS = 10
"""At least so many to choose the best from."""
DISK_GB_A_SECOND, SAVING_SHARE = 0.5, 0.05
"""A whole model's checkpoint, its optimizer's state in it, is written so rarely that writing takes a twentieth."""


@dataclass(frozen=True)
class Recipe:
    """All that decides one training run."""

    task: str
    backbone: Backbone
    method: Method
    hardware: Hardware
    data: DataFacts
    model_path: str
    """Where the backbone is: a hub id or a folder."""
    variant: str = ""
    overrides: Mapping[str, Any] = field(default_factory=dict)
    """The user's own keys, checked."""
    hardware_name: str = "auto"
    hardware_why: str = ""
    think: bool = False
    """Whether a model that can think does so before it answers (THINK=1)."""

    @property
    def folder(self) -> str:
        """The run's folder, as a POSIX path."""
        return run_folder(self.task, self.backbone.name, self.method.name, self.variant).as_posix()

    @cached_property
    def choices(self) -> Choices:
        """Every key of the training recipe, with its reason; the user's own keys win."""
        return {**self._fixed(values(self._chosen)), **self._chosen}

    @cached_property
    def _chosen(self) -> Choices:
        return choose(
            self.backbone, self.method, self.hardware, self.data, folder=self.folder, overrides=self.overrides
        )

    @cached_property
    def dtype(self) -> str:
        """The precision that the backbone is loaded in where that is not what it is stored in; else ""."""
        ours = self.model_path == model_path(self.backbone)
        return loaded_in(self.backbone.dtype, values(self._chosen), self.hardware) if ours else ""

    @property
    def loaded_path(self) -> str:
        """What LLaMA-Factory loads: a hub id or a folder."""
        return model_path(self.backbone, self.dtype) if self.dtype else self.model_path

    @cached_property
    def settings(self) -> dict[str, Any]:
        """The training recipe's keys and values alone."""
        return values(self.choices)

    @cached_property
    def memory(self) -> Estimate | None:
        """The expected peak on each device; None when the model's shape is not known."""
        return memory_of(self.backbone, self.settings, self.hardware) if self.backbone.shape else None

    @cached_property
    def seconds(self) -> float:
        """The expected time of training; 0 when it cannot be told."""
        shape = self.backbone.shape
        return duration.seconds(shape, self.settings, self.hardware, self.data) if shape else 0.0

    @property
    def dollars(self) -> float | None:
        """What that time costs; None where no price is known."""
        price = price_per_hour(self.hardware)
        return self.seconds / 3600 * price.dollars if price and self.seconds else None

    @cached_property
    def why_four_bits(self) -> str:
        """Why the models are served on 4-bit weights with the adapter beside them; "" when the export is served.

        A 7B model in half precision fills a T4 by itself. There base and tuned are both served as QLoRA trains, so
        that the comparison stays fair, and neither needs an export.
        """
        shape, hardware = self.backbone.shape, self.hardware
        if shape is None or hardware.kind != "cuda" or not hardware.memory_gb or not self.method.adapter:
            return ""
        needed, room = served(shape), hardware.memory_gb * hardware.devices
        if needed.verdict(room) == "fits":
            return ""
        return f"in half precision it would take {needed.low:.0f} to {needed.high:.0f} of {room:.1f} GiB"

    def _fixed(self, chosen: Mapping[str, Any]) -> Choices:
        return {
            **self.model_choices(),
            **({"enable_thinking": Choice(None, BEHIND_A_THOUGHT)} if self.think else {}),
            **self._reference(chosen),
            "stage": Choice(self.method.stage),
            "do_train": Choice(True),
            "dataset": Choice(self.task),
            "dataset_dir": Choice(".", "where dataset_info.json lies"),
            **self._evaluating(chosen),
            "overwrite_cache": Choice(False, "rows are encoded once, until tokenizer, template or cutoff differ"),
            "output_dir": Choice(f"{self.folder}/adapter"),
            "logging_steps": Choice(self._logging),
            **self._saving(chosen),
            "plot_loss": Choice(True),
            **self._tracking(str(chosen.get("report_to") or "none")),
            "include_num_input_tokens_seen": Choice(True),
        }

    def _reference(self, chosen: Mapping[str, Any]) -> Choices:
        """Name the model as it was, which LLaMA-Factory takes for granted and does not load with an adapter."""
        if not chosen.get("use_asft_loss"):
            return {}
        bits = chosen.get("quantization_bit")
        return {
            "ref_model": Choice(self.model_path, "what it is held near; with an adapter it must be named"),
            **({"ref_model_quantization_bit": Choice(bits, "as the model itself")} if bits else {}),
        }

    def _tracking(self, tracker: str) -> Choices:
        """The keys by which LLaMA-Factory logs to a tracker, where TRACK or SET names one."""
        name = Choice("/".join(filter(None, self.names)), "TASK/MODEL/METHOD/VARIANT")
        keys = {"report_to": Choice(tracker)}
        if tracker == "swanlab":
            return keys | {"use_swanlab": Choice(True), "swanlab_project": Choice(PROJECT), "swanlab_run_name": name}
        return keys | ({"project": Choice(PROJECT), "run_name": name} if tracker in TRACKERS else {})

    @property
    def names(self) -> tuple[str, str, str, str]:
        """Task, model, method and variant."""
        return self.task, self.backbone.name, self.method.name, self.variant

    def _evaluating(self, chosen: Mapping[str, Any]) -> Choices:
        if not self.data.has_val:
            return {"eval_strategy": Choice("no", f"dataset_info.json has no {self.task}_val")}
        when, batch = {"eval_strategy": Choice("epoch")}, Choice(2)
        if chosen.get("load_best_model_at_end"):
            every = values(self._saving(chosen)).get("save_steps", self._logging)
            when = {"eval_strategy": Choice("steps"), "eval_steps": Choice(every, "each checkpoint is measured")}
        if chosen.get("neat_packing") and chosen.get("flash_attn") == "fa2":
            batch = Choice(1, "all that LLaMA-Factory packs with FlashAttention-2")
        rows = Choice(f"{self.task}_val", "the loss on these rows is logged while training")
        return {"eval_dataset": rows, **when, "per_device_eval_batch_size": batch}

    def _saving(self, chosen: Mapping[str, Any]) -> Choices:
        if not self.method.resumable:
            return {
                "overwrite_output_dir": Choice(True, f"an interrupted {self.method.title} run begins anew"),
                "save_strategy": Choice("no", "a run resumed half-way would end in wrong weights"),
            }
        shape, every = self.backbone.shape, 10 * self._logging
        step = duration.seconds_a_step(shape, chosen, self.hardware, self.data) if shape else 0.0
        if step:
            size = saved_bytes(shape, chosen)[1] / 1e9  # type: ignore[arg-type]
            between = max(SAVE_SECONDS, size / DISK_GB_A_SECOND / SAVING_SHARE)
            every = self._logging * max(1, round(between / step / self._logging))
        if chosen.get("load_best_model_at_end"):
            tenth = duration.steps(chosen, self.hardware, self.data) / CHECKPOINTS
            every = min(every, max(1, round(tenth / self._logging)) * self._logging)
        why = f"about every {every * step / 60:.0f} min" if step else "the speed is not known"
        return {
            "overwrite_output_dir": Choice(False, "an interrupted run goes on from its last checkpoint"),
            "save_strategy": Choice("steps"),
            "save_steps": Choice(every, f"{why}: at most so many steps are lost to a crash"),
            "save_total_limit": Choice(2 if self.method.adapter else 1),
        }

    @property
    def _logging(self) -> int:
        return 1 if self.data.rows < 5_000 else 10

    def model_choices(self) -> Choices:
        """The keys that name the model and how to talk to it; the same for training, export and serving."""
        why = f"loaded in {self.dtype}: this hardware has no bfloat16 arithmetic" if self.dtype else ""
        choices = {"model_name_or_path": Choice(self.loaded_path, why)}
        if self.backbone.revision != "main" and self.loaded_path == self.backbone.hub:
            choices["model_revision"] = Choice(self.backbone.revision)
        if self.backbone.trust_remote_code:
            choices["trust_remote_code"] = Choice(True, "this backbone's code comes with its weights")
        if self.backbone.template:
            choices["template"] = Choice(self.backbone.template, "the format this backbone was tuned with")
        if self.backbone.default_system:
            choices["default_system"] = Choice(self.backbone.default_system, "as in its published chat template")
        if self.backbone.thinks:
            choices["enable_thinking"] = Choice(self.think, THINKS if self.think else ANSWERS)
        entry = {key: Choice(value) for key, value in self.backbone.settings.items() if key in FORMAT_KEYS}
        given = {key: Choice(value, "from SET") for key, value in self.overrides.items() if key in FORMAT_KEYS}
        return choices | entry | given

    def tuned_choices(self) -> Choices:
        """The keys that load what was trained, on top of the backbone or in its place."""
        trained = f"{self.folder}/{self.method.adapter_path}"
        if self.method.adapter:
            kind = self.method.settings["finetuning_type"]
            why = "" if kind == "lora" else f"how LLaMA-Factory loads any adapter, {kind.upper()} too"
            return {"adapter_name_or_path": Choice(trained), "finetuning_type": Choice("lora", why)}
        return {"model_name_or_path": Choice(trained)}

    def command(self, verb: str, with_set: bool = True) -> str:
        """Return the make command that a user types for this run, its SET included."""
        usual = {"METHOD": "lora", "HARDWARE": "auto", "VARIANT": "", "GPUS": 1, "NNODES": 1, "THINK": 0, "SET": "''"}
        words = {
            "TASK": self.task, "MODEL": self.backbone.name, "METHOD": self.method.name, "HARDWARE": self.hardware_name,
            "VARIANT": self.variant, "GPUS": self.hardware.devices, "NNODES": self.hardware.nodes,
            "THINK": int(self.think), "SET": shlex.quote(as_set(self.overrides if with_set else {})),
        }  # fmt: skip
        given = [f"{name}={word}" for name, word in words.items() if word != usual.get(name)]
        return " ".join([f"make {verb}", *given])


def make_recipe(
    *, task: str, model: str, method: str = "lora", variant: str = "", hardware: str = "auto", overrides: str = "",
    gpus: int | None = None, nodes: int | None = None, think: bool = False, limit: int | None = None,
) -> Recipe:  # fmt: skip
    """Return the recipe that these words name; nothing is downloaded or converted (`limit`: how many rows will be)."""
    if not task:
        raise UserError("no TASK was named", "TASK=medical_en, or see `python -m converters list`")
    known = find_task(task)
    backbone, trained_by = find_backbone(model), find_method(method)
    machine, why = resolve_hardware(hardware, gpus or 0, nodes or 1)
    if think and not backbone.thinks:
        thinking = ", ".join(name for name, other in backbones().items() if other.thinks)
        raise UserError(f"{backbone.name} does not think before it answers", f"leave THINK out, or MODEL={thinking}")
    return Recipe(
        task=task, backbone=backbone, method=trained_by, hardware=machine, hardware_name=hardware, hardware_why=why,
        data=data_facts(task, known.language, limit, known.rows), model_path=model_path(backbone), variant=variant,
        overrides=read_settings(overrides), think=think,
    )  # fmt: skip


def fetch(recipe: Recipe, source: str, limit: int | None) -> Recipe:
    """Convert the rows and download a model's config where they are missing; return the recipe as it is then."""
    backbone = recipe.backbone
    ensure_config(backbone)
    if backbone.shape is None and backbone.hub and backbone.name not in backbones():
        backbone = unknown_model.from_hub(backbone.name)
    ensure_rows(recipe.task, source, limit)
    return replace(recipe, backbone=backbone, data=data_facts(recipe.task, recipe.data.language))


def ensure_rows(task: str, source: str, limit: int | None) -> None:
    """Convert the rows when they are not there yet, or when the user says which ones."""
    if is_own(task):
        if source or limit is not None:
            raise UserError(f"{task} is trained on as dataset_info.json has it", "leave SOURCE and LIMIT out")
        return
    derived = task != root_task(task)  # a mix or a variant: made anew whenever what it was made from has changed
    if not derived and not source and limit is None and (data_folder(task) / "card.json").is_file():
        return
    with only_one(CACHE / "locks" / f"rows-{root_task(task)}", wait=True):  # runs beside this one need the same rows
        call("converters", "convert", task=task, source=source, limit=limit)
