"""The backbones, methods and hardware that users name, read from YAML: backbones/, methods/, hardware/.

A new backbone is one entry in `backbones/*.yaml`, a new method one file in `methods/`, a new card one file in
`hardware/`. The classes below are what such an entry may say.
"""

import functools
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import ConfigDict, Field

from common.errors import UserError
from common.schema import Schema, Texts, build, unknown_key
from common.yaml_files import read_yaml

HERE = Path(__file__).parents[1]


class Entry(Schema):
    """What a YAML file here may say; its field docs are for the reader of this file, and cost start-up time."""

    model_config = ConfigDict(use_attribute_docstrings=False)


class Shape(Entry):
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
    experts: int = 0
    """Experts of a block, each `mlp` wide. They are no linear layers to peft and bitsandbytes: stay as they are."""
    active: int = 0
    """Experts that a token passes through, shared ones among them."""
    embedding: int = 0
    """Width of a token's row in the embeddings where it is not `hidden`: Gemma 4 has more of them for each layer."""
    total: int = 0
    """All its weights (vision tower too), where these sizes do not give them."""

    @property
    def head(self) -> int:
        """Width of one attention head."""
        return self.head_size or self.hidden // self.heads

    @property
    def parameters(self) -> int:
        """All its weights; norms and biases left out where `total` does not say."""
        return self.total or self.layers * self.attention + self.expert_weights + self.dense_mlp + self.embeddings

    @property
    def attention(self) -> int:
        """Weights of one block's queries, keys, values and output."""
        return 2 * self.hidden * self.head * (self.heads + self.kv_heads)

    @property
    def dense_mlp(self) -> int:
        """Weights of all feed-forward blocks, 0 where they are experts."""
        return 0 if self.experts else self.layers * self.mlp_matrices * self.hidden * self.mlp

    @property
    def expert_weights(self) -> int:
        """Weights of all experts of all blocks."""
        return self.layers * self.experts * self.mlp_matrices * self.hidden * self.mlp

    @property
    def embeddings(self) -> int:
        """Weights of the embeddings and the output layer."""
        return self.vocabulary * ((self.embedding or self.hidden) + (0 if self.tied else self.hidden))


class Backbone(Entry):
    """A pretrained model that can be fine-tuned, and what must be known to do so rightly."""

    name: str
    hub: str = ""
    modelscope: str = ""
    revision: str = "main"
    template: str | None = None
    """LLaMA-Factory's own chat template; null takes the one in the model's tokenizer."""
    default_system: str = ""
    """What its published chat template says where there is no system message; "" where `template` says the same."""
    thinks: bool = False
    """Whether it thinks before it answers, unless the prompt ends with an empty thought."""
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
    packs: bool = True
    """Whether rows packed into one sequence stay apart; not in layers without attention, whose state runs on."""
    window: int = 0
    """Tokens that its sliding layers look back, 0 where every layer sees all: LLaMA-Factory's mask for packed rows
    takes the window's place, so that sequences longer than it are not packed."""
    liger: bool = False
    """Whether LLaMA-Factory's `enable_liger_kernel` takes effect on it; otherwise it is ignored silently."""
    unsloth: bool = False
    trust_remote_code: bool = False
    settings: dict[str, Any] = Field(default_factory=dict)
    """Recipe keys that this backbone needs otherwise than its method sets them."""
    serving: dict[str, Any] = Field(default_factory=dict)
    """LLaMA-Factory's generation keys that base and tuned are served with."""
    prepare: dict[str, Any] = Field(default_factory=dict)
    """What must be corrected in a local folder before LLaMA-Factory can use it (recipes/prepare/prepare.py)."""
    twin: dict[str, Any] = Field(default_factory=dict)
    """How to make a tiny random-weight model of the same kind, for tests and rehearsals."""
    note: str = ""

    @property
    def size(self) -> str:
        """How many weights it has, in words; "" when unknown."""
        if not self.shape:
            return ""
        weights = self.shape.parameters
        return f"{weights / 1e9:.1f}B" if weights >= 0.9995e9 else f"{weights / 1e6:.0f}M"


class Method(Entry):
    """A way of training: LLaMA-Factory settings with the reason beside each."""

    name: str
    title: str
    summary: str
    settings: dict[str, Any]
    why: dict[str, str] = Field(default_factory=dict)
    stage: str = "sft"
    rows: Literal["answers", "pairs", "labels"] = "answers"
    """The form its rows must have: answers, pairs (a better and a worse answer) or labels (good or bad)."""
    needs: Texts = ()
    """Packages that it needs beyond the installed ones."""
    excludes: Texts = ()
    """What it cannot be combined with (the words of recipes/preflight/conflicts.py)."""
    quantized: bool = False
    adapter: bool = True
    """Whether it leaves an adapter to merge; otherwise the whole model is saved."""
    adapter_path: str = "adapter"
    """Where, inside the run's folder, that adapter lies."""
    resumable: bool = True
    """Whether an interrupted run can go on from a checkpoint."""
    own_rate: bool = False
    """Whether its learning rate stands above what the backbone wants of LoRA."""


class Hardware(Entry):
    """What a recipe is rendered for."""

    name: str
    title: str
    kind: Literal["cuda", "cpu"]
    memory_gb: float = 0.0
    """Memory of one card that training can use, GiB (RAM for kind cpu; 0 when unknown)."""
    compute_capability: float = 0.0
    devices: int = 1
    """Cards that one machine trains on (processes for kind cpu)."""
    nodes: int = 1
    """Machines that train together."""
    bf16: bool | None = None
    """Whether bfloat16 arithmetic is real here; null derives it from the compute capability."""
    cores: int = 0
    """CPU cores, where the arithmetic is theirs; 0 when unknown."""
    packages: Texts = ()
    """Optional speed packages that were found installed (liger_kernel, flash_attn, deepspeed ...)."""

    @property
    def world(self) -> int:
        """Devices of all machines together."""
        return self.devices * self.nodes

    @property
    def real_bf16(self) -> bool:
        """Whether bfloat16 is computed rather than emulated (torch's `is_bf16_supported()` says yes on a T4)."""
        return self.bf16 if self.bf16 is not None else self.compute_capability >= 8.0


Kind = TypeVar("Kind", bound=Entry)


class Catalogue(Mapping[str, Kind]):
    """The entries of a folder by name: a file is read, and an entry of it checked, only when it is asked for."""

    def __init__(self, kind: type[Kind], folder: str) -> None:
        self._kind, self._folder = kind, folder
        self._made: dict[str, Kind] = {}
        self._read: dict[Path, dict[str, dict[str, Any]]] = {}

    @functools.cached_property
    def _texts(self) -> dict[Path, str]:
        return {path: path.read_text(encoding="utf-8") for path in sorted((HERE / self._folder).glob("*.yaml"))}

    def _entries(self, path: Path) -> dict[str, dict[str, Any]]:
        """Return the entries of a file: itself, or of backbones its `models`, each over its `defaults`."""
        if path not in self._read:
            content = read_yaml(path)
            if self._kind is not Backbone:
                content = {"models": {path.stem: content}}
            if wrong := sorted(content.keys() - {"defaults", "models"}):
                known = ["defaults", "models"]
                raise UserError(f"{path}: {unknown_key(wrong[0], known)}", "its keys: defaults, models")
            defaults = content.get("defaults", {})
            self._read[path] = {name: {**defaults, **entry, "name": name} for name, entry in content["models"].items()}
        return self._read[path]

    def __getitem__(self, name: str) -> Kind:
        if name not in self._made:
            likely = (path for path, text in self._texts.items() if path.stem == name or f"{name}:" in text)
            path = next((path for path in likely if name in self._entries(path)), None)
            if path is None:
                raise KeyError(name)
            self._made[name] = build(self._kind, self._entries(path)[name], f"{name} in {path}")
        return self._made[name]

    def __iter__(self) -> Iterator[str]:
        return (name for path in self._texts for name in self._entries(path))

    def __len__(self) -> int:
        return sum(1 for _ in self)


@functools.cache
def backbones() -> Catalogue[Backbone]:
    """Return every backbone by name, from `backbones/*.yaml`."""
    return Catalogue(Backbone, "backbones")


@functools.cache
def methods() -> Catalogue[Method]:
    """Return every method by name, from `methods/*.yaml`."""
    return Catalogue(Method, "methods")


@functools.cache
def hardware_profiles() -> Catalogue[Hardware]:
    """Return every hardware profile by name, from `hardware/*.yaml`."""
    return Catalogue(Hardware, "hardware")
