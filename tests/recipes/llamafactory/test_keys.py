"""The table of LLaMA-Factory's keys: as installed, and what it says of a user's settings."""

from typing import Any

import orjson
import pytest

from common.errors import UserError
from recipes.catalog.catalog import backbones, methods
from recipes.catalog.unknown_model import known_models
from recipes.llamafactory.keys import TABLE, check_settings, known_keys, read_settings
from tests.recipes.llamafactory.tables import installed_keys, installed_models


@pytest.mark.slow
def test_the_tables_are_those_of_the_installed_llamafactory() -> None:
    again = "python -m tests.recipes.llamafactory.tables makes them anew"
    assert orjson.loads(TABLE.read_bytes()) == installed_keys(), again
    assert known_models() == installed_models(), again


@pytest.mark.parametrize(
    ("key", "given", "kept"),
    [
        ("lora_rank", 8.0, 8),
        ("learning_rate", 1, 1.0),
        ("run_name", 7, "7"),
        ("tokenized_path", None, None),
        ("packing", True, True),
        ("save_strategy", False, "no"),
    ],
)
def test_values_are_brought_to_their_type(key: str, given: Any, kept: Any) -> None:
    checked = check_settings({key: given})[key]
    assert checked == kept
    assert type(checked) is type(kept)


@pytest.mark.parametrize(
    ("key", "value"),
    [("lora_rank", True), ("packing", "yes"), ("learning_rate", "fast"), ("seed", None), ("optim", "sleep")],
)
def test_values_of_another_type_are_refused(key: str, value: Any) -> None:
    with pytest.raises(UserError, match=key):
        check_settings({key: value})


@pytest.mark.parametrize(
    ("key", "value"),
    [("cutoff_len", 0), ("lora_rank", -3), ("learning_rate", 0.0), ("warmup_ratio", 1.5), ("num_train_epochs", 0)],
)
def test_values_that_cannot_be_are_refused(key: str, value: Any) -> None:
    with pytest.raises(UserError, match=f"{key}.*must be"):
        check_settings({key: value})


def test_all_that_is_wrong_with_set_is_said_at_once() -> None:
    with pytest.raises(UserError) as caught:
        read_settings("lora_rnk=3 foo seed=x output_dir=/tmp/x stage=dpo cutoff_len=0 bf16=true fp16=true")
    assert caught.value.message.splitlines() == [
        "SET has 7 invalid entries:",
        "  - unknown key 'lora_rnk'; did you mean lora_rank?",
        "  - seed must be a whole number, got 'x'",
        "  - output_dir: VARIANT= decides it, not SET",
        "  - stage: METHOD= decides it, not SET",
        "  - cutoff_len must be above 0, got 0",
        "  - 'foo' is not key=value",
        "  - bf16 and fp16: only one of them can be true",
    ]


@pytest.mark.slow
def test_every_key_that_we_write_ourselves_is_known() -> None:
    for method in methods().values():
        assert check_settings(method.settings, method.name) == method.settings
    for backbone in backbones().values():
        assert check_settings(backbone.settings, backbone.name) == backbone.settings


def test_the_table_says_what_it_was_made_from() -> None:
    assert orjson.loads(TABLE.read_bytes())["made_from"]["llamafactory"] == "0.9.5"
    assert len(known_keys()) > 300
