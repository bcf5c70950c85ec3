"""The memory estimate against what others measured (published_peaks.yaml), and its sense of direction."""

import statistics
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from recipes.catalog.catalog import Hardware, Shape, backbones
from recipes.estimate.memory import Estimate, estimate
from recipes.estimate.weights import saved_bytes, trained_parameters

PEAKS = yaml.safe_load(Path(__file__).with_name("published_peaks.yaml").read_text(encoding="utf-8"))
CARD = Hardware(name="card", title="a card", kind="cuda", memory_gb=80, compute_capability=8.0)
LLAMA2 = Shape(**PEAKS["shapes"]["llama-2-7b"])
PLAIN = {"finetuning_type": "lora", "lora_rank": 16, "bf16": True, "cutoff_len": 2048, "flash_attn": "sdpa"}
# (mean, worst below, worst above): what docs/performance.md states
STATED = {
    "Qwen LoRA": (0.02, -0.08, 0.16),
    "Qwen QLoRA": (0.08, -0.24, 0.48),
    "Llama 3 LoRA and QLoRA, packed": (0.30, 0.23, 0.41),
    "Llama 2 without checkpointing": (-0.02, -0.21, 0.14),
    "Llama 3.1 8B QLoRA": (-0.11, -0.14, -0.08),
}


def points(family: dict[str, Any]) -> Iterator[tuple[Shape, dict[str, Any], float]]:
    gib = 1e9 / 2**30 if family.get("unit") == "GB" else 1.0
    rows = family.get("points") or [
        {"shape": name, family["sweep"]["key"]: value, "peak": peak}
        for name, peaks in family["peaks"].items()
        for value, peak in zip(family["sweep"]["values"], peaks, strict=True)
    ]
    for row in rows:
        settings = {key: value for key, value in row.items() if key not in ("shape", "peak")}
        yield Shape(**PEAKS["shapes"][row["shape"]]), {**family["settings"], **settings}, row["peak"] * gib


@pytest.mark.parametrize("name", PEAKS["families"])
def test_published_peaks_are_met_within_the_stated_error(name: str) -> None:
    errors = [
        estimate(shape, settings, CARD).total / peak - 1 for shape, settings, peak in points(PEAKS["families"][name])
    ]
    mean, lowest, highest = next(stated for begin, stated in STATED.items() if name.startswith(begin))
    assert statistics.mean(errors) == pytest.approx(mean, abs=0.01)
    assert lowest <= min(errors)
    assert max(errors) <= highest


@pytest.mark.parametrize(
    ("model", "rows", "tokens", "checkpointing", "measured"),
    [
        ("smollm2-135m", 2, 512, True, 2.42),
        ("smollm2-135m", 2, 512, False, 4.30),
        ("smollm2-135m", 1, 512, False, 3.17),
        ("smollm2-135m", 4, 256, False, 4.24),
        ("qwen2.5-0.5b", 2, 128, True, 4.60),  # its peak is at loading
        ("qwen2.5-0.5b", 2, 128, False, 5.17),
        ("qwen2.5-0.5b", 1, 128, False, 4.59),
    ],
)
def test_the_peaks_of_real_models_on_a_cpu_are_met(
    model: str, rows: int, tokens: int, checkpointing: bool, measured: float
) -> None:
    settings = {"finetuning_type": "lora", "lora_rank": 16, "flash_attn": "sdpa", "use_cpu": True, "bf16": False}
    settings |= {"per_device_train_batch_size": rows, "cutoff_len": tokens}
    settings |= {"disable_gradient_checkpointing": not checkpointing}
    shape, cpu = backbones()[model].shape, Hardware(name="cpu", title="no GPU", kind="cpu", memory_gb=16)
    assert shape
    if model == "qwen2.5-0.5b":
        shape = shape.model_copy(update={"tied": False})  # as the folder that was measured holds it
    assert estimate(shape, settings, cpu, "float32").total == pytest.approx(measured, rel=0.1)


def test_the_peaks_are_all_read() -> None:
    assert sum(len(list(points(family))) for family in PEAKS["families"].values()) == 63


@pytest.mark.parametrize(
    ("less", "more"),
    [
        ({"quantization_bit": 4}, {}),
        ({"quantization_bit": 4}, {"quantization_bit": 8}),
        ({"double_quantization": True, "quantization_bit": 4}, {"double_quantization": False, "quantization_bit": 4}),
        ({}, {"disable_gradient_checkpointing": True}),
        ({"cutoff_len": 1024}, {"cutoff_len": 2048}),
        ({"per_device_train_batch_size": 1}, {"per_device_train_batch_size": 2}),
        ({"enable_liger_kernel": True}, {"enable_liger_kernel": False}),
        ({"use_unsloth_gc": True}, {}),
        ({"lora_rank": 8}, {"lora_rank": 64}),
        ({"lora_target": "q_proj,v_proj"}, {"lora_target": "all"}),
        ({"flash_attn": "sdpa"}, {"flash_attn": "disabled"}),
        ({}, {"finetuning_type": "freeze"}),
        ({"finetuning_type": "freeze"}, {"finetuning_type": "full"}),
        ({"finetuning_type": "full", "use_galore": True, "galore_rank": 128}, {"finetuning_type": "full"}),
        ({"finetuning_type": "full", "use_badam": True}, {"finetuning_type": "full"}),
        ({"finetuning_type": "full", "optim": "paged_adamw_8bit"}, {"finetuning_type": "full"}),
        ({"finetuning_type": "full", "pure_bf16": True}, {"finetuning_type": "full"}),
        ({"stage": "sft"}, {"stage": "dpo"}),
        ({"stage": "dpo", "pref_loss": "orpo"}, {"stage": "sft"} | {"per_device_train_batch_size": 32}),
    ],
)
def test_what_saves_memory_lowers_the_estimate(less: dict[str, Any], more: dict[str, Any]) -> None:
    assert estimate(LLAMA2, PLAIN | less, CARD).total < estimate(LLAMA2, PLAIN | more, CARD).total


def test_spreading_over_cards_lowers_what_each_holds() -> None:
    settings = {**PLAIN, "finetuning_type": "full", "deepspeed": "runs/x/deepspeed-zero3.json"}
    alone, four = (estimate(LLAMA2, settings, CARD.model_copy(update={"devices": n})).total for n in (1, 4))
    assert four < alone / 2


def test_full_training_takes_what_its_formula_says() -> None:
    needed = estimate(LLAMA2, {**PLAIN, "finetuning_type": "full"}, CARD)
    assert needed.parts["weights"] + needed.parts["trained"] == pytest.approx(18 * LLAMA2.parameters * 1.1 / 2**30)


def test_trained_weights_are_counted_as_peft_makes_them() -> None:
    # Llama-2-7B, rank 8, all linear layers: 19,988,480 as LLaMA-Factory reports it
    assert trained_parameters(LLAMA2, {"lora_rank": 8, "lora_target": "all"}) == 19_988_480
    assert trained_parameters(LLAMA2, {"lora_rank": 8, "lora_target": "q_proj,v_proj"}) == 4_194_304


def test_a_checkpoint_holds_what_is_trained_in_float32_and_its_two_moments() -> None:
    weights = LLAMA2.parameters
    saved, checkpoint = saved_bytes(LLAMA2, {"finetuning_type": "full"})
    assert (saved, checkpoint) == (4 * weights, 12 * weights)
    block = trained_parameters(LLAMA2, {"finetuning_type": "freeze"}) / 2
    frozen = saved_bytes(LLAMA2, {"finetuning_type": "freeze"})
    assert frozen == (2 * weights + 2 * 2 * block, 2 * weights + (2 + 8) * 2 * block)
    assert saved_bytes(LLAMA2, {"lora_rank": 8, "lora_target": "all"}) == (4 * 19_988_480, 12 * 19_988_480)


@pytest.mark.parametrize(("room", "verdict"), [(11.6, "fits"), (10.0, "unsure"), (8.6, "unsure"), (8.4, "misfit")])
def test_a_verdict_is_only_sure_outside_the_band(room: float, verdict: str) -> None:
    assert Estimate({"all": 10.0}).verdict(room) == verdict


def test_a_seven_billion_model_needs_four_bits_on_a_t4() -> None:
    settings = {**PLAIN, "fp16": True, "per_device_train_batch_size": 1}
    assert estimate(LLAMA2, settings, CARD).verdict(14.7) != "fits"
    assert estimate(LLAMA2, {**settings, "quantization_bit": 4}, CARD).verdict(14.7) == "fits"


@pytest.mark.parametrize("name", backbones())
def test_every_shape_gives_the_size_in_its_name(name: str) -> None:
    backbone = backbones()[name]
    if backbone.shape is None:
        pytest.skip("no shape is known")
    said = next((part for part in name.split("-") if part[:1].isdigit() and part[-1] in "bm"), None)
    if said is None:
        pytest.skip("the name says no size")
    billions = float(said[:-1]) * (1 if said.endswith("b") else 1e-3)
    assert backbone.shape.parameters / 1e9 == pytest.approx(billions, rel=0.35)
