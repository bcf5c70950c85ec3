"""LLaMA-Factory's own parser and the installed torch are asked before anything is downloaded."""

from dataclasses import replace

import pytest

from recipes.llamafactory.trial import PLAIN, Torch, ask, blind, refused
from recipes.preflight.checks import BAD, checks
from recipes.preflight.surroundings import look_around
from tests.recipes.samples import recipe

NEW = Torch("2.11.0+cu130", "13.0", 2, ("sm_75", "sm_80", "sm_90", "sm_120", "compute_120"))


@pytest.mark.parametrize(
    ("torch", "devices", "capability", "said"),
    [
        (NEW, 2, 7.5, ""),
        (NEW, 1, 8.6, ""),  # code for 8.0 runs on 8.6
        (NEW, 1, 12.1, ""),
        (NEW, 1, 7.0, "no code for compute capability 7.0 (only sm_75"),
        (NEW, 4, 9.0, "sees 2 of 4 cards; it needs NVIDIA driver 580 or newer"),
        (NEW._replace(cards=0, kernels=()), 1, 9.0, "sees 0 of 1 cards; it needs NVIDIA driver 580"),
        (NEW._replace(version="2.11.0+cpu", cuda="", cards=0, kernels=()), 1, 9.0, "was built without CUDA"),
    ],
)
def test_a_torch_that_cannot_use_the_card_is_told_with_the_driver_it_needs(torch, devices, capability, said):
    found = blind(torch, devices, capability)
    assert (said in found) if said else found == ""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({}, ""),
        ({"quantization_bit": 3}, "Bitsandbytes only accepts 4-bit or 8-bit"),
        ({"val_size": 0.1}, "Cannot specify `val_size` if `eval_dataset` is not None"),
        ({"streaming": True}, "max_steps"),
        ({"use_adam_mini": True}, "adam-mini"),
        ({"use_badam": True, "finetuning_type": "full"}, "badam"),
        ({"quantization_method": "hqq", "quantization_bit": 4}, "hqq"),
        ({"neat_packing": True, "stage": "dpo"}, "neat_packing"),
        ({"pissa_init": True, "quantization_bit": 4}, "PiSSA"),
        ({"load_best_model_at_end": True, "eval_strategy": "no"}, "load_best_model_at_end"),
    ],
)
def test_what_llamafactory_refuses_is_told_in_its_own_words(wrong, said):
    found = refused({**recipe("llama2-7b", "lora", "80gb").settings, **wrong})
    assert (said in found) if said else found == ""


@pytest.mark.slow
def test_a_plan_asks_for_what_set_changes_and_for_no_plain_number():
    plain = recipe("llama2-7b", "lora", "80gb", learning_rate=1e-4, max_steps=3, lora_rank=4)
    assert set(plain.overrides) <= PLAIN
    wrong = recipe("llama2-7b", "lora", "80gb", val_size=0.1, deepspeed="no/such.json")
    around = look_around(wrong, thorough=True)
    (found,) = (check for check in checks(wrong, around) if check.title == "recipe")
    assert found.status == BAD
    assert "deepspeed=no/such.json" in found.words
    assert "Cannot specify `val_size`" in found.words
    assert ask(plain.settings).torch.version.startswith("2.")
    assert all(check.title != "recipe" for check in checks(plain, replace(around, absent=(), refused="")))
