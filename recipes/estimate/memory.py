"""How much memory a training run takes: an estimate from shapes and settings, with its error band. Pure.

The terms are weights, what is trained (with gradient and optimizer state), activations kept for the backward pass,
one layer's own activations, the logits, and a fixed overhead. docs/performance.md holds the published peaks that
it is tested against and its error for each family.
"""

from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from common.yaml_files import read_yaml
from recipes.catalog.catalog import Hardware, Shape
from recipes.estimate import weights
from recipes.estimate.weights import STATE_BYTES, WIDTH, Settings, block, matrices, trained_parameters, usual_names

GIB = 2**30
BAND = 0.15
"""Relative error within which almost all published peaks lie."""
FRAGMENTATION = 1.10
CONTEXT_GIB = 0.8
"""What the CUDA context and its libraries take."""
PROCESS_GIB = 1.05
"""What Python takes with torch and LLaMA-Factory in it, where all of it counts (measured on a CPU)."""
HEAP = 1.45
"""On a CPU what comes and goes between kept activations leaves holes in a heap that gives nothing back (measured)."""
LOGIT_BYTES = 14
"""Per token and vocabulary entry: half-precision logits, float32 copy, softmax and gradients. Measured: 7 to 17."""
EVALUATED_LOGIT_BYTES = 10
"""Without gradients: half-precision logits, float32 copy, softmax."""
FUSED_LOGIT_BYTES = 0.5
"""With a fused loss (Liger, Unsloth) only a slice of the logits exists at any time."""
COMPUTED = {"pure_bf16": "bfloat16", "bf16": "bfloat16", "fp16": "float16"}
DORA = 1.3
"""What DoRA's own products keep, as a share."""
ANSWERED_AT_ONCE = 2
"""Concurrent requests assumed when serving; each TOKENS long, prompt included."""
TOKENS = 2048


@dataclass(frozen=True)
class Estimate:
    """Memory of one device in GiB, by what takes it."""

    parts: dict[str, float] = field(default_factory=dict)

    @property
    def total(self) -> float:
        """The expected peak."""
        return sum(self.parts.values())

    @property
    def low(self) -> float:
        """The peak when the estimate is too high by its band."""
        return self.total * (1 - BAND)

    @property
    def high(self) -> float:
        """The peak when the estimate is too low by its band."""
        return self.total * (1 + BAND)

    def verdict(self, memory_gb: float) -> str:
        """Return fits, misfit, or unsure when the band leaves it open."""
        if self.high <= memory_gb:
            return "fits"
        return "misfit" if self.low > memory_gb else "unsure"

    def sentence(self) -> str:
        """Say the total, its band, and the parts that count."""
        parts = ", ".join(f"{name} {gib:.1f}" for name, gib in self.parts.items() if gib >= 0.05)
        return f"{self.total:.1f} GiB, {self.low:.1f} to {self.high:.1f} ({parts})"


def estimate(shape: Shape, settings: Settings, hardware: Hardware, dtype: str = "", kind: str = "") -> Estimate:
    """Estimate the peak on each device of a run with these settings.

    `dtype` is the precision that its weights are loaded in ("" for half precision), `kind` transformers' model type.
    """
    spread = str(settings.get("deepspeed") or "")
    share = 1 / hardware.world if spread else 1
    whole, offloaded = "zero3" in spread, "offload" in spread
    loaded, state = weights.loaded_bytes(shape, settings, dtype), _state(shape, settings, dtype)
    parts = {
        "weights": loaded * (share if whole else 1) * (0 if offloaded and whole else 1),
        "gathered layer": 2 * block(shape) * 2 if whole else 0.0,
        "cast copies": _cast(shape, settings, dtype),
        "reference": loaded if settings.get("use_asft_loss") else 0.0,
        "trained": state * share * (0 if offloaded else 1),
        "activations": _kept(shape, settings, kind),
        "logits": _logits(shape, settings),
    }
    parts["evaluation"] = max(0.0, _evaluated(shape, settings) - parts["activations"] - parts["logits"])
    on_card = hardware.kind == "cuda"
    if not on_card and _keeps_all(settings):
        parts |= {name: HEAP * parts[name] for name in ("activations", "logits")}
    if not on_card and WIDTH.get(dtype, 2) > 2:  # while they are cast, the file's half precision lies beside them
        parts["loading"] = max(0.0, 2 * shape.parameters - sum(parts.values()) + parts["weights"])
    scaled = {name: value * (FRAGMENTATION if on_card else 1) / GIB for name, value in parts.items()}
    return Estimate({**scaled, "overhead": CONTEXT_GIB * FRAGMENTATION if on_card else PROCESS_GIB})


def served(shape: Shape) -> Estimate:
    """Estimate what serving a model in half precision takes."""
    remembered = 2 * 2 * shape.layers * shape.kv_heads * shape.head * TOKENS * ANSWERED_AT_ONCE  # keys and values
    half = 2 * shape.parameters
    return Estimate({"weights": half / GIB, "answers": remembered / GIB, "overhead": CONTEXT_GIB * FRAGMENTATION})


def held_in_ram(shape: Shape, settings: Settings, dtype: str = "") -> float:
    """Return the GiB of RAM that hold what a run takes off its cards, over all of them; 0 when it takes nothing off."""
    if "offload" not in str(settings.get("deepspeed")):
        return 0.0
    return (weights.loaded_bytes(shape, settings, dtype) + _state(shape, settings, dtype)) / GIB


def _state(shape: Shape, settings: Settings, dtype: str) -> float:
    """Bytes of what is trained beyond its copy as loaded."""
    return trained_parameters(shape, settings) * _state_bytes(settings, shape, dtype)


def _cast(shape: Shape, settings: Settings, dtype: str) -> float:
    """Bytes of the copies that autocast makes of frozen weights loaded in another precision than it computes in.

    Without checkpointing the backward pass holds all of them, else those of one block; the output layer's always.
    """
    if not dtype or settings.get("finetuning_type") == "full" or dtype == computed(settings) or not _is_mixed(settings):
        return 0.0
    layers = shape.layers if _keeps_all(settings) else 1
    return 2 * (shape.vocabulary * shape.hidden + (0 if settings.get("quantization_bit") else layers * block(shape)))


def _state_bytes(settings: Settings, shape: Shape, dtype: str) -> float:
    """Bytes a trained weight costs beyond its copy as loaded: master weight, gradient, optimizer state."""
    moments = STATE_BYTES.get(str(settings.get("optim", "adamw_torch")), 8)
    whole = settings.get("finetuning_type") in ("full", "freeze")
    if settings.get("use_badam"):  # only the block whose turn it is has gradient, master copy and moments
        return (4 + 4 + moments) / shape.layers
    if settings.get("use_galore") or settings.get("use_apollo"):
        method = "galore" if settings.get("use_galore") else "apollo"
        rank = settings.get(f"{method}_rank", 16)
        gradient = 0 if settings.get(f"{method}_layerwise") else (2 if settings.get("pure_bf16") else 4)
        return gradient + (0 if settings.get("pure_bf16") else 2) + moments * rank / shape.hidden
    if settings.get("pure_bf16"):
        return (0 if whole else 2) + 2 + moments / 2
    # LLaMA-Factory casts what is trained to float32; of a whole model the bytes as loaded are counted already
    cast = 2 if whole and _is_mixed(settings) else 0
    return 4 - (WIDTH.get(dtype, 2) if whole else 0) + cast + 4 + moments


def _is_mixed(settings: Settings) -> bool:
    return bool(settings.get("bf16") or settings.get("fp16"))


def computed(settings: Settings) -> str:
    """Return the precision that a run computes in."""
    return next((name for key, name in COMPUTED.items() if settings.get(key)), "float32")


def _keeps_all(settings: Settings) -> bool:
    """Tell whether every layer's activations are kept for the backward pass."""
    return bool(settings.get("disable_gradient_checkpointing") and not settings.get("use_unsloth"))


def _kept(shape: Shape, settings: Settings, kind: str) -> float:
    """Bytes of activations at the peak."""
    tokens = _tokens(settings)
    packed = settings.get("neat_packing") and settings.get("flash_attn") != "fa2"  # the mask in four dimensions
    mask = 2.0 * tokens * settings.get("cutoff_len", 2048) if packed else 0.0
    layer = tokens * layer_bytes(shape, settings, kind)
    if _keeps_all(settings):
        frozen = settings.get("finetuning_type") == "freeze"
        return (abs(settings.get("freeze_trainable_layers", 2)) if frozen else shape.layers) * layer + mask
    way = _way(settings)
    inputs = shape.layers * shape.hidden * (4 if "float32" in way or way == "full" else 2)
    return (0 if settings.get("use_unsloth_gc") or settings.get("use_unsloth") else inputs) * tokens + layer + mask


def _way(settings: Settings) -> str:
    """Return how a layer is trained, as activations.yaml names it."""
    whole = settings.get("finetuning_type") in ("full", "freeze")
    if computed(settings) == "float32":
        return "full float32" if whole else "lora float32"
    if settings.get("pure_bf16"):
        return "full half" if whole else "lora half"
    if settings.get("quantization_bit"):
        return "qlora"
    return "full" if whole else "lora"


@cache
def measured() -> dict[str, dict[str, list[float]]]:
    """Return bytes a token: kind -> way -> of hidden size, feed-forward, queries, keys, tokens x heads."""
    return dict(read_yaml(Path(__file__).with_name("activations.yaml")))


def layer_bytes(shape: Shape, settings: Settings, kind: str = "") -> float:
    """Bytes a token that one block keeps for its backward pass (about 50 x hidden for LoRA on Llama 2)."""
    way = _way(settings)
    table = measured()
    of_hidden, of_mlp, of_query, of_key, of_scores = table.get(kind, table["llama"])[way]
    query, key = shape.head * shape.heads, shape.head * shape.kv_heads
    eager = settings.get("flash_attn") in ("disabled", "auto")
    if settings.get("flash_attn") != "fa2":  # under a mask, keys and values are repeated for each head of queries
        of_query, of_key = of_query + of_key, 0.0
    mlp = shape.mlp * (shape.active or 1)
    kept = of_hidden * shape.hidden + of_mlp * mlp + of_query * query + of_key * key - _untrained(shape, settings)
    scores = of_scores * shape.heads * settings.get("cutoff_len", 2048) if eager else 0
    return (kept + scores) * (DORA if settings.get("use_dora") else 1)


def _untrained(shape: Shape, settings: Settings) -> float:
    """Bytes a token that are not kept since no adapter stands there: a layer's input, for the adapter's gradient."""
    target = settings.get("lora_target") or "all"
    if target == "all" or settings.get("finetuning_type", "lora") != "lora":
        return 0.0
    width = 4 if "float32" in _way(settings) else 2
    groups = [("q_proj", "k_proj", "v_proj"), ("o_proj",), ("gate_proj", "up_proj"), ("down_proj",)]
    if _way(settings) == "lora":  # each adapter casts its input for itself
        groups = [(name,) for group in groups for name in group]
    known = matrices(shape)
    left_out = [group[-1] for group in groups if not set(group) & set(usual_names(target)) and group[-1] in known]
    return float(sum(width * known[name][0] for name in left_out if name != "o_proj" or _way(settings) == "lora"))


def _evaluated(shape: Shape, settings: Settings) -> float:
    """Bytes of the whole logits, which evaluation holds even where training, with a fused loss, never does."""
    if settings.get("eval_strategy", "no") == "no":
        return 0.0
    tokens = settings.get("per_device_eval_batch_size", 2) * settings.get("cutoff_len", 2048)
    return float(EVALUATED_LOGIT_BYTES * tokens * shape.vocabulary)


def _logits(shape: Shape, settings: Settings) -> float:
    fused = settings.get("enable_liger_kernel") or settings.get("use_unsloth")
    per_entry = FUSED_LOGIT_BYTES if fused and settings.get("stage", "sft") == "sft" else LOGIT_BYTES
    both = 2 if settings.get("use_asft_loss") else 1  # the reference's too
    return both * per_entry * _tokens(settings) * shape.vocabulary


def _tokens(settings: Settings) -> int:
    """Tokens in one forward pass; preference stages put two answers beside each other."""
    pair = 2 if settings.get("stage") in ("dpo", "rm", "kto") else 1
    return settings.get("per_device_train_batch_size", 8) * settings.get("cutoff_len", 2048) * pair
