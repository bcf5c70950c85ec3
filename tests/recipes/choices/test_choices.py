"""What is chosen for which hardware, and why."""

from dataclasses import replace
from typing import Any

import pytest

from common.errors import UserError
from recipes.catalog.catalog import Backbone, Hardware, backbones, methods
from recipes.catalog.datasets import DataFacts
from recipes.catalog.lookup import find_backbone, find_hardware, find_method
from recipes.choices.choice import Choices, values
from recipes.choices.settings import choose
from recipes.estimate.memory import estimate
from recipes.llamafactory.launch import environment
from recipes.preflight.conflicts import conflicts, form_of, wrong_form
from tests.recipes.samples import FEW_ROWS, MANY_ROWS, recipe

NO_SDPA = Backbone(name="old", architecture="bloom", sdpa=False)


def chosen(
    model: str = "llama2-7b", method: str = "lora", hardware: str = "24gb", data: DataFacts = MANY_ROWS, **changed: Any
) -> Choices:
    machine = find_hardware(hardware).model_copy(update=changed)
    return choose(find_backbone(model), find_method(method), machine, data, folder="runs/x")


def test_a_t4_computes_in_float16_whatever_it_says_of_bfloat16() -> None:
    choices = chosen(method="qlora", hardware="t4")
    assert choices["fp16"].value is True
    assert "bf16" not in choices
    assert "emulates" in choices["fp16"].why


@pytest.mark.parametrize(("capability", "key"), [(7.0, "fp16"), (7.5, "fp16"), (8.0, "bf16"), (9.0, "bf16")])
def test_precision_follows_compute_capability(capability: float, key: str) -> None:
    assert values(chosen(compute_capability=capability))[key] is True


def test_a_backbone_that_overflows_in_float16_takes_emulated_bfloat16() -> None:
    choices = chosen("gemma3-1b", "lora", "t4")
    assert (choices["bf16"].value, "fp16" in choices) == (True, False)
    assert "overflows" in choices["bf16"].why


@pytest.mark.parametrize("method", ["dpo", "kto", "rm", "orpo"])
@pytest.mark.parametrize("card", ["24gb", "40gb"])
def test_what_is_chosen_for_pairs_fits_as_the_plan_counts_it(method: str, card: str) -> None:
    needed = recipe("qwen3-8b", method, card).memory
    assert needed is not None
    assert needed.verdict(find_hardware(card).memory_gb) == "fits"


@pytest.mark.parametrize(
    ("model", "hardware", "overrides", "loaded"),
    [
        ("qwen3-8b", "t4", {}, "models/qwen3-8b-float16"),
        ("qwen3-8b", "cpu", {}, "models/qwen3-8b-float32"),
        ("smollm2-135m", "cpu", {}, "models/smollm2-135m-float32"),
        ("qwen3-8b", "cpu", {"bf16": True}, "Qwen/Qwen3-8B"),  # asked for
        ("qwen3-8b", "24gb", {}, "Qwen/Qwen3-8B"),
        ("llama2-7b", "t4", {}, "meta-llama/Llama-2-7b-chat-hf"),  # stored in float16
        ("gemma2-9b", "t4", {}, "google/gemma-2-9b-it"),  # overflows in float16
    ],
)
def test_without_bfloat16_arithmetic_weights_are_loaded_in_what_is_computed_in(
    model: str, hardware: str, overrides: dict[str, Any], loaded: str
) -> None:
    made = recipe(model, hardware=hardware, **overrides)
    assert made.settings["model_name_or_path"] == loaded
    assert made.loaded_path == loaded


def test_pure_bfloat16_is_only_for_cards_that_have_it() -> None:
    assert chosen(method="galore", hardware="80gb")["pure_bf16"].value is True
    assert chosen("smollm2-135m", "galore", "t4")["pure_bf16"].value is False
    assert chosen("smollm2-135m", "galore", "cpu")["pure_bf16"].value is False


def test_attention_is_left_alone_where_transformers_has_no_fused_one() -> None:
    choices = choose(NO_SDPA, find_method("lora"), find_hardware("24gb"), FEW_ROWS)
    assert choices["flash_attn"].value == "auto"
    assert "packing" not in choices
    assert choices["train_sampling_strategy"].value == "group_by_length"


def test_flash_attention_is_taken_where_it_is_installed_and_then_one_sequence_at_a_time() -> None:
    choices = values(chosen(packages=("flash_attn",), hardware="80gb"))
    assert choices["flash_attn"] == "fa2"
    assert choices["per_device_train_batch_size"] == 1  # LLaMA-Factory asserts it for neat packing
    assert chosen(packages=("flash_attn",), hardware="t4")["flash_attn"].value == "sdpa"


def test_liger_is_switched_on_only_where_it_is_installed_and_takes_effect() -> None:
    assert chosen(packages=("liger_kernel",))["enable_liger_kernel"].value is True
    assert chosen()["enable_liger_kernel"].value is False
    unknown = choose(
        NO_SDPA, find_method("lora"), find_hardware("24gb").model_copy(update={"packages": ("liger_kernel",)}), FEW_ROWS
    )
    assert "enable_liger_kernel" not in unknown


@pytest.mark.parametrize("hardware", ["t4", "8gb", "12gb", "16gb", "24gb", "40gb", "80gb"])
@pytest.mark.parametrize("method", ["lora", "qlora"])
def test_what_is_chosen_fits_or_says_that_nothing_does(method: str, hardware: str) -> None:
    card, backbone = find_hardware(hardware), find_backbone("llama2-7b")
    choices = chosen(method=method, hardware=hardware)
    assert backbone.shape is not None
    fits = estimate(backbone.shape, values(choices), card).verdict(card.memory_gb) == "fits"
    assert fits != choices["disable_gradient_checkpointing"].why.startswith("even so")


def test_checkpointing_is_on_only_where_memory_asks_for_it() -> None:
    assert chosen(hardware="80gb")["disable_gradient_checkpointing"].value is True
    needy = chosen(hardware="24gb")["disable_gradient_checkpointing"]
    assert needy.value is False
    assert "GiB" in needy.why


def test_the_optimizer_step_stays_the_same_whatever_the_card() -> None:
    for hardware in ("t4", "24gb", "80gb"):
        settings = values(chosen(method="qlora", hardware=hardware))
        assert settings["per_device_train_batch_size"] * settings["gradient_accumulation_steps"] == 16


def test_several_devices_share_the_optimizer_step() -> None:
    settings = values(chosen(method="qlora", hardware="24gb", devices=4))
    assert settings["per_device_train_batch_size"] * settings["gradient_accumulation_steps"] == 4


@pytest.mark.parametrize("name", [*backbones(), "someone/unknown-model"])
def test_every_backbone_gets_a_batch(name: str) -> None:
    for hardware in ("t4", "80gb", "cpu"):
        settings = values(chosen(name, "qlora", hardware))
        assert settings["per_device_train_batch_size"] >= 1
        assert settings["cutoff_len"] >= 256


def test_few_rows_make_at_least_some_steps_and_are_packed_by_one_worker() -> None:
    settings = values(chosen(data=FEW_ROWS, hardware="80gb"))
    tokens = FEW_ROWS.rows * FEW_ROWS.tokens(FEW_ROWS.mean_characters)
    step = (
        settings["per_device_train_batch_size"] * settings["gradient_accumulation_steps"] * settings["cutoff_len"]
        if settings.get("packing")
        else 1
    )
    assert tokens / step >= 20
    assert settings["preprocessing_num_workers"] == 1


def test_long_rows_are_cut_and_it_is_said() -> None:
    choice = chosen("smollm2-135m", "lora", "cpu", data=replace(MANY_ROWS, longest_usual=90_000))["cutoff_len"]
    assert "cut off" in choice.why


def test_methods_with_a_rate_of_their_own_keep_it() -> None:
    assert chosen("smollm2-135m", "lora", "cpu")["learning_rate"].value == 5e-4
    assert chosen("smollm2-135m", "full", "cpu")["learning_rate"].value == 1e-5


def test_stages_beyond_answers_are_never_packed() -> None:
    for method in methods().values():
        if method.stage != "sft":
            assert "packing" not in chosen(method=method.name, hardware="80gb")


@pytest.mark.parametrize(
    ("model", "method", "hardware", "devices", "expected"),
    [
        ("llama2-7b", "lora", "24gb", 2, ""),
        ("llama2-7b", "full", "80gb", 4, "deepspeed-zero2.json"),
        ("llama2-13b", "full", "40gb", 8, "deepspeed-zero3"),
        ("llama2-70b", "lora", "80gb", 8, "deepspeed-zero3.json"),
        ("llama2-70b", "qlora", "24gb", 4, ""),
        ("llama2-70b", "galore", "80gb", 8, ""),
    ],
)
def test_a_model_is_spread_only_when_it_does_not_fit(
    model: str, method: str, hardware: str, devices: int, expected: str
) -> None:
    settings = values(chosen(model, method, hardware, devices=devices))
    named = str(settings.get("deepspeed") or "")
    assert expected in named
    assert bool(named) == bool(expected)


def test_a_shorter_sequence_comes_before_spreading_and_cutting_rows_after_it() -> None:
    short_rows = values(chosen("qwen3-8b", "lora", "24gb", FEW_ROWS, devices=2))
    assert "deepspeed" not in short_rows
    assert short_rows["cutoff_len"] >= FEW_ROWS.tokens(FEW_ROWS.longest_usual)
    long_rows = values(chosen("qwen3-8b", "lora", "24gb", replace(MANY_ROWS, longest_usual=2900), devices=2))
    assert "deepspeed" in long_rows
    assert long_rows["cutoff_len"] == 2048


def test_the_launcher_gets_its_variables() -> None:
    two = Hardware(name="x", title="x", kind="cuda", memory_gb=24, compute_capability=8.6, devices=2, nodes=2)
    given = {"NODE_RANK": "1", "MASTER_ADDR": "10.0.0.1"}
    variables = environment(two, {}, given)
    assert variables["NPROC_PER_NODE"] == "2"
    assert variables["NNODES"] == "2"
    assert (variables["NODE_RANK"], variables["MASTER_ADDR"]) == ("1", "10.0.0.1")
    assert variables["MASTER_PORT"]  # all machines must agree on it
    assert variables["CUDA_VISIBLE_DEVICES"] == "0,1"


def test_no_more_cards_are_shown_than_are_used() -> None:
    one = Hardware(name="x", title="x", kind="cuda", memory_gb=24, compute_capability=8.6)
    assert environment(one, {}, {})["CUDA_VISIBLE_DEVICES"] == "0"
    assert environment(one, {}, {"CUDA_VISIBLE_DEVICES": "2,3"})["CUDA_VISIBLE_DEVICES"] == "2"


def test_ray_starts_its_processes_itself() -> None:
    two = Hardware(name="x", title="x", kind="cuda", memory_gb=24, compute_capability=8.6, devices=2)
    assert "FORCE_TORCHRUN" not in environment(two, {}, {"USE_RAY": "1"})
    assert "FORCE_TORCHRUN" in environment(two, {}, {})


def test_one_device_needs_no_launcher() -> None:
    assert "FORCE_TORCHRUN" not in environment(find_hardware("cpu"), {}, {})


@pytest.mark.parametrize(
    ("method", "changed", "settings"),
    [
        ("badam", {"devices": 2}, {}),
        ("badam", {}, {"fp16": True}),
        ("pissa", {}, {"quantization_bit": 4}),
        ("pissa", {"devices": 2}, {"deepspeed": "x/deepspeed-zero3.json"}),
        ("galore", {"devices": 2}, {"deepspeed": "x/deepspeed-zero2.json"}),
    ],
)
def test_what_does_not_go_together_is_said(method: str, changed: dict[str, Any], settings: dict[str, Any]) -> None:
    hardware = find_hardware("24gb").model_copy(update=changed)
    assert conflicts(find_method(method), hardware, settings)
    assert not conflicts(find_method("lora"), hardware, settings)


def test_every_exclusion_is_a_known_word() -> None:
    everything = Hardware(name="x", title="x", kind="cuda", memory_gb=24, compute_capability=7.5, devices=2)
    settings = {"fp16": True, "quantization_bit": 4, "deepspeed": "deepspeed-zero3.json"}
    for method in methods().values():
        found = [one for one in conflicts(method, everything, settings) if one.startswith(f"METHOD={method.name} ")]
        assert len(found) == len(method.excludes)


@pytest.mark.parametrize(
    ("entry", "form"),
    [
        ({"columns": {"prompt": "instruction"}}, "answers"),
        ({"ranking": True, "columns": {"chosen": "chosen", "rejected": "rejected"}}, "pairs"),
        ({"columns": {"kto_tag": "label"}}, "labels"),
    ],
)
def test_the_form_of_rows_is_read_from_dataset_info(entry: dict[str, Any], form: str) -> None:
    assert form_of(entry) == form
    right = {"answers": "lora", "pairs": "dpo", "labels": "kto"}
    for other, method in right.items():
        assert bool(wrong_form(find_method(method), form)) == (other != form)


def test_steps_are_counted_in_the_reason() -> None:
    why = chosen("smollm2-135m", "lora", "cpu", data=FEW_ROWS)["per_device_train_batch_size"].why
    assert "170 rows" in why


def test_an_unknown_method_names_the_nearest() -> None:
    with pytest.raises(UserError, match="unknown METHOD") as caught:
        find_method("qlor")
    assert "did you mean qlora?" in caught.value.hint


@pytest.mark.parametrize("name", ["eaft", "dft", "asft"])
def test_a_loss_of_its_own_is_not_replaced_by_ligers(name: str) -> None:
    made = recipe("qwen3-8b", name, "80gb")
    machine = find_hardware("80gb").model_copy(update={"packages": ("liger_kernel",)})
    choices = choose(find_backbone("qwen3-8b"), find_method(name), machine, MANY_ROWS)
    assert choices["enable_liger_kernel"].value is False
    assert choices["enable_liger_kernel"].why == f"follows from use_{name}_loss"
    assert made.settings.get("ref_model") == ("Qwen/Qwen3-8B" if name == "asft" else None)
    assert values(choose(find_backbone("qwen3-8b"), find_method("lora"), machine, MANY_ROWS))["enable_liger_kernel"]
    by_set = recipe("qwen3-8b", "lora", "80gb", use_dft_loss=True)
    assert by_set.settings["enable_liger_kernel"] is False
    both = recipe("qwen3-8b", name, "80gb", enable_liger_kernel=True)
    assert "without a word" in conflicts(both.method, both.hardware, both.settings)[0]


def test_asft_takes_the_weights_twice_in_as_many_bits() -> None:
    once, twice = recipe("qwen3-8b", "dft", "80gb"), recipe("qwen3-8b", "asft", "80gb")
    assert twice.memory.parts["reference"] == twice.memory.parts["weights"] == once.memory.parts["weights"]
    made = recipe("qwen3-8b", "qlora", "80gb", use_asft_loss=True)
    assert made.settings["ref_model_quantization_bit"] == 4


def test_the_best_checkpoint_is_one_key_that_takes_the_others_along() -> None:
    made = recipe("smollm2-135m", load_best_model_at_end=True)
    settings = made.settings
    assert (settings["metric_for_best_model"], settings["greater_is_better"]) == ("eval_loss", False)
    assert settings["early_stopping_steps"] == 3
    assert settings["eval_strategy"] == settings["save_strategy"] == "steps"
    assert settings["eval_steps"] == settings["save_steps"] < recipe("smollm2-135m").settings["save_steps"]
    assert not conflicts(made.method, made.hardware, settings)
    no_val = recipe("smollm2-135m", load_best_model_at_end=True, data=replace(FEW_ROWS, has_val=False))
    assert "needs rows to evaluate on" in conflicts(no_val.method, no_val.hardware, no_val.settings)[0]
    pissa = recipe("smollm2-135m", "pissa", load_best_model_at_end=True)
    assert "METHOD=pissa keeps none" in conflicts(pissa.method, pissa.hardware, pissa.settings)[0]
