"""The backbones, methods and hardware that users name, read from the YAML files beside this one.

A new backbone is one entry in `backbones/*.yaml`, a new method one file in `methods/`, a new card one file in
`hardware/`. Unknown keys are errors, all reported at once.
"""

import functools
from dataclasses import MISSING, dataclass, field, fields
from pathlib import Path
from typing import Any

import yaml

from common.errors import UserError, unknown

HERE = Path(__file__).parents[1]


@dataclass(frozen=True)
class Shape:
    """The sizes that memory and time follow from."""

    layers: int
    hidden: int
    mlp: int
    heads: int
    kv_heads: int
    vocabulary: int
    head_size: int = 0
    tied: bool = False
    mlp_matrices: int = 3
    """Matrices in one feed-forward block: 3 when gated (Llama), 2 when not (BLOOM)."""

    @property
    def parameters(self) -> int:
        """Weights of a dense model of this shape, norms and biases left out."""
        head_size = self.head_size or self.hidden // self.heads
        attention = 2 * self.hidden * head_size * (self.heads + self.kv_heads)
        block = attention + self.mlp_matrices * self.hidden * self.mlp
        return self.layers * block + self.vocabulary * self.hidden * (1 if self.tied else 2)


@dataclass(frozen=True)
class Backbone:
    """A pretrained model that can be fine-tuned, and what must be known to do so rightly."""

    name: str
    hub: str = ""
    modelscope: str = ""
    revision: str = "main"
    template: str | None = None
    """LLaMA-Factory's own chat template; None takes the one in the model's tokenizer."""
    architecture: str = ""
    """transformers' model_type."""
    shape: Shape | None = None
    context: int = 0
    """Tokens."""
    dtype: str = "bfloat16"
    """What its weights are stored in, and so what is exported; "" when unknown."""
    float16: bool = True
    """Whether it can compute in float16 (a T4); activations that overflow there make every loss a nan."""
    licence: str = ""
    gated: bool = False
    lora_target: str = "all"
    sdpa: bool = True
    """Whether transformers has scaled-dot-product attention for it; without, `flash_attn: sdpa` does not load."""
    liger: bool = False
    """Whether LLaMA-Factory's `enable_liger_kernel` takes effect on it; otherwise it is passed over in silence."""
    unsloth: bool = False
    trust_remote_code: bool = False
    settings: dict[str, Any] = field(default_factory=dict)
    """Recipe keys that this backbone wants otherwise than its method."""
    prepare: dict[str, Any] = field(default_factory=dict)
    """What must be put right in a local folder before LLaMA-Factory can use it (recipes/prepare/prepare.py)."""
    twin: dict[str, Any] = field(default_factory=dict)
    """How to make a tiny random-weight model of the same kind, for tests."""
    note: str = ""

    @property
    def size(self) -> str:
        """How many weights it has, in words; "" when unknown."""
        if not self.shape:
            return ""
        weights = self.shape.parameters
        return f"{weights / 1e9:.1f}B" if weights >= 0.9995e9 else f"{weights / 1e6:.0f}M"


@dataclass(frozen=True)
class Method:
    """A way of training: LLaMA-Factory settings with the reason beside each."""

    name: str
    title: str
    summary: str
    settings: dict[str, Any]
    why: dict[str, str] = field(default_factory=dict)
    stage: str = "sft"
    rows: str = "answers"
    """The form its rows must have: answers, pairs (a better and a worse answer) or labels (good or bad)."""
    needs: tuple[str, ...] = ()
    """Packages that it takes beyond the installed ones."""
    excludes: tuple[str, ...] = ()
    """What it does not go together with (recipes/preflight/conflicts.py knows the words)."""
    quantized: bool = False
    adapter: bool = True
    """Whether it leaves an adapter to merge; otherwise the whole model is saved."""
    adapter_path: str = "adapter"
    """Where, inside the run's folder, that adapter lies."""
    resumable: bool = True
    """Whether an interrupted run can go on from a checkpoint."""
    own_rate: bool = False
    """Whether its learning rate stands above what the backbone wants of LoRA."""


@dataclass(frozen=True)
class Hardware:
    """What a recipe is rendered for."""

    name: str
    title: str
    kind: str
    """cuda or cpu."""
    memory_gb: float = 0.0
    """Memory of one card that training can use, GiB (RAM for kind cpu; 0 when unknown)."""
    compute_capability: float = 0.0
    devices: int = 1
    """Cards that one machine trains on (processes for kind cpu)."""
    nodes: int = 1
    """Machines that train together."""
    bf16: bool | None = None
    """Whether bfloat16 arithmetic is real here; None derives it from the compute capability."""
    cores: int = 0
    """CPU cores, where the arithmetic is theirs; 0 when unknown."""
    packages: tuple[str, ...] = ()
    """Optional speed packages that were found installed (liger_kernel, flash_attn, deepspeed ...)."""


def _build(kind: type, name: str, entry: dict[str, Any], where: Path) -> Any:
    """Make a named dataclass from a YAML entry."""
    return _checked(kind, name, entry, where, name=name)


def _checked(kind: type, title: str, entry: dict[str, Any], where: Path, **given: Any) -> Any:
    """Make a dataclass from a YAML entry, reporting all unknown and missing keys at once."""
    known = {item.name for item in fields(kind)} - {"name"}
    required = {item.name for item in fields(kind) if item.default is MISSING and item.default_factory is MISSING} - {
        "name"
    }
    problems = [f"unknown key {key!r}" for key in sorted(set(entry) - known)]
    problems += [f"missing key {key!r}" for key in sorted(required - set(entry))]
    if problems:
        raise UserError(
            f"{where}: {title}: {'; '.join(problems)}",
            f"the keys of a {kind.__name__.lower()} are {', '.join(sorted(known))}",
        )
    return kind(**given, **entry)


def _read(path: Path) -> dict[str, Any]:
    try:
        content = yaml.load(path.read_text(encoding="utf-8"), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except yaml.YAMLError as error:
        raise UserError(f"{path} is not YAML: {error}", "mend it and try again") from None
    if not isinstance(content, dict):
        raise UserError(f"{path} holds no mapping", "see the files beside it")
    return content


@functools.cache
def backbones() -> dict[str, Backbone]:
    """Return every backbone by name, from `backbones/*.yaml` (a file's `defaults` go under each of its models)."""
    found: dict[str, Backbone] = {}
    for path in sorted((HERE / "backbones").glob("*.yaml")):
        content = _read(path)
        if problems := sorted(set(content) - {"defaults", "models"}):
            raise UserError(f"{path}: unknown key {problems[0]!r}", "its keys are defaults and models")
        for name, entry in content["models"].items():
            merged = {**content.get("defaults", {}), **entry}
            if "shape" in merged:
                merged["shape"] = _checked(Shape, f"{name}: shape", merged["shape"], path)
            found[name] = _build(Backbone, name, merged, path)
    return found


@functools.cache
def methods() -> dict[str, Method]:
    """Return every method by name, from `methods/*.yaml`."""
    return {path.stem: _build(Method, path.stem, _read(path), path) for path in _files("methods")}


@functools.cache
def hardware_profiles() -> dict[str, Hardware]:
    """Return every hardware profile by name, from `hardware/*.yaml`."""
    return {path.stem: _build(Hardware, path.stem, _read(path), path) for path in _files("hardware")}


def _files(folder: str) -> list[Path]:
    return sorted((HERE / folder).glob("*.yaml"))


def find_backbone(name: str) -> Backbone:
    """Return a backbone by name, or make one for a local folder or any other hub id (org/name)."""
    if not name:
        raise UserError("no MODEL was named", "MODEL=smollm2-135m, or see `python -m recipes list`")
    if name in backbones():
        return backbones()[name]
    from recipes.catalog import unknown_model

    if Path(name).is_dir():
        return unknown_model.from_folder(name)
    for backbone in backbones().values():
        if name.lower() == backbone.hub.lower():
            return backbone
    if name.count("/") == 1 and not name.startswith((".", "/", "~")):
        return unknown_model.from_hub(name)
    if "/" in name:
        raise UserError(f"there is no model folder {name}", "give an existing folder, a hub id or a name")
    raise unknown("MODEL", name, backbones(), "python -m recipes list")


def find_method(name: str) -> Method:
    """Return a method by name."""
    if name not in methods():
        raise unknown("METHOD", name, methods(), "python -m recipes list")
    return methods()[name]


def find_hardware(name: str) -> Hardware:
    """Return a hardware profile by name."""
    if name in hardware_profiles():
        return hardware_profiles()[name]
    wrong = unknown("HARDWARE", name, ["auto", *hardware_profiles()], "python -m recipes list")
    for_card = [profile.name for profile in hardware_profiles().values() if name.lower() in profile.title.lower()]
    if name and for_card:  # the name of a card: a100
        wrong.hint = f"for that card: HARDWARE={' or '.join(for_card)}; {wrong.hint}"
    raise wrong
