"""The plan before training: each check, what it says when it fails, and that training then does not start."""

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from common.errors import UserError
from recipes.__main__ import main
from recipes.catalog.catalog import Hardware, Shape
from recipes.catalog.datasets import DataFacts, data_facts
from recipes.catalog.prices import price_per_hour
from recipes.estimate.duration import in_words, seconds, tokens_a_second
from recipes.preflight import suggest
from recipes.preflight.checks import BAD, OK, OPEN, Check, checks, refuse, text
from recipes.preflight.suggest import suggestions
from recipes.preflight.surroundings import Surroundings, disk_gb, has_token, look_around, missing
from recipes.recipe import Recipe
from tests.recipes.samples import FEW_ROWS, recipe

AROUND = Surroundings(form="answers", source="here", downloaded=True, disk_free_gb=2000, has_token=True)
QWEN_7B = Shape(layers=32, hidden=4096, mlp=11008, heads=32, kv_heads=32, vocabulary=151936)


def one(title: str, made: Recipe, **around: Any) -> Check:
    found = {check.title: check for check in checks(made, replace(AROUND, **around))}
    return found[title]


def test_all_is_well_with_a_small_model() -> None:
    found = checks(
        replace(recipe(), hardware=Hardware(name="cpu", title="no GPU", kind="cpu", memory_gb=16, cores=2)), AROUND
    )
    assert [check.status for check in found] == [OK] * 8
    refuse(found, force=False)


def test_rows_that_are_not_converted_yet_are_no_mistake() -> None:
    assert one("data", recipe(), form="").status == OPEN


@pytest.mark.parametrize(
    ("method", "form"), [("dpo", "answers"), ("kto", "pairs"), ("rm", "labels"), ("lora", "pairs")]
)
def test_rows_of_the_wrong_form_stop_it_with_the_methods_that_fit(method: str, form: str) -> None:
    check = one("data", recipe("llama2-7b", method, "80gb"), form=form)
    assert check.status == BAD
    assert "METHOD=" in check.hint


def test_an_unknown_template_is_named_with_the_nearest() -> None:
    check = one("template", recipe(template="llama22"))
    assert check.status == BAD
    assert "did you mean llama2?" in check.hint


def test_a_model_folder_without_chat_template_needs_one_named() -> None:
    made = recipe()
    bare = replace(made, backbone=made.backbone.model_copy(update={"template": None, "prepare": {}}))
    assert one("template", bare, own_template=False).status == BAD
    assert one("template", bare, own_template=None).status == OPEN
    assert one("template", bare, own_template=True).status == OK


def test_a_sure_misfit_stops_and_says_what_would_fit() -> None:
    made = recipe("llama2-13b", "lora", "16gb")
    check = one("memory", made)
    assert check.status == BAD
    assert "METHOD=qlora" in check.hint


def test_what_may_not_fit_is_left_open() -> None:
    made = recipe("llama2-7b", "lora", "t4")
    needed = made.memory
    assert needed is not None
    assert needed.low < 14.7 < needed.high
    assert one("memory", made).status == OPEN


def test_every_suggestion_would_fit() -> None:
    made = recipe("llama2-7b", "lora", "12gb")
    assert suggestions(made)
    needed = replace(made, method=recipe(method="qlora").method).memory
    assert needed is not None
    assert needed.verdict(made.hardware.memory_gb) == "fits"


def test_more_cards_are_suggested_once_for_each_way_to_spread_it_with_the_ram_it_takes() -> None:
    found = suggestions(recipe("llama2-70b", "lora", "24gb"))
    assert [line.partition(" would")[0] for line in found] == [
        "GPUS=2 (deepspeed-zero3-offload, 132 GiB of RAM)",
    ]


def test_weights_in_four_bits_are_not_spread_and_the_method_that_is_is_named() -> None:
    made = recipe("llama2-70b", "qlora", "24gb", devices=4)
    assert one("memory", made).status == BAD
    assert [line.partition(" would")[0] for line in suggestions(made)] == [
        "METHOD=lora (deepspeed-zero3-offload, 132 GiB of RAM)",
        "METHOD=lora GPUS=8 (deepspeed-zero3-offload, 132 GiB of RAM)",
    ]
    assert one("hardware", replace(made, overrides={"fsdp": "full_shard"})).status == BAD
    assert one("hardware", recipe("llama2-70b", "lora", "80gb", devices=8)).status == OPEN, "ZeRO-3, not seen to run"


def test_what_set_names_must_be_there(tmp_path: Path) -> None:
    made = recipe(resume_from_checkpoint=str(tmp_path / "nowhere"))
    around = look_around(made)
    assert one("recipe", made, absent=around.absent).status == BAD
    assert look_around(recipe(resume_from_checkpoint=str(tmp_path))).absent == ()


def test_what_is_taken_off_the_cards_must_fit_the_ram() -> None:
    made = recipe("llama2-70b", "lora", "24gb", devices=2)
    assert one("memory", made, ram_gb=64).status == BAD
    assert one("memory", made, ram_gb=256).status == OK
    assert one("memory", made).status == OK, "of a machine that is not here it is not known"


def test_a_full_disk_stops_it() -> None:
    assert one("disk", recipe("llama2-7b", "full", "80gb"), disk_free_gb=100).status == BAD
    assert disk_gb(recipe("llama2-7b", "full", "80gb"), False) > disk_gb(recipe("llama2-7b", "lora", "80gb"), False)


def test_the_download_counts_where_the_hub_keeps_it() -> None:
    made = recipe("llama2-7b", "qlora", "24gb")
    assert one("disk", made, downloaded=False, disk_free_gb=20).status == BAD
    assert one("disk", made, downloaded=False, disk_free_gb=20, hub_free_gb=20.0).status == OK
    assert "HF_HOME" in one("disk", made, downloaded=False, disk_free_gb=20, hub_free_gb=5.0).hint
    assert one("disk", made, downloaded=True, disk_free_gb=20, hub_free_gb=5.0).status == OK


def test_a_gated_model_without_token_stops_unless_it_is_here_or_comes_from_elsewhere() -> None:
    made = recipe("llama2-7b", "qlora", "24gb")
    assert one("licence", made, downloaded=False, has_token=False).status == BAD
    assert one("licence", made, downloaded=False, has_token=True).status == OPEN
    assert one("licence", made, downloaded=False, has_token=False, mirror="http://localhost").status == OPEN
    assert one("licence", made, downloaded=True, has_token=False).status == OK


def test_missing_packages_stop_it_with_the_command_that_brings_them() -> None:
    check = one("packages", recipe("llama2-7b", "galore", "80gb"), missing_packages=("galore_torch",))
    assert check.status == BAD
    assert "pip install -c constraints.txt galore_torch" in check.hint
    assert missing({"pyyaml", "surely-not-there"}) == ("surely-not-there",)


def test_a_method_that_does_not_go_with_the_hardware_stops_it() -> None:
    assert one("hardware", recipe("llama2-7b", "badam", "80gb", devices=2)).status == BAD


def test_ray_is_refused_where_it_would_wait_forever() -> None:
    made = recipe("llama2-7b", "qlora", "24gb", devices=2)
    assert one("hardware", made, ray=True, cpu_cores=8).status == BAD
    assert one("hardware", made, ray=True, cpu_cores=20).status == OK
    assert one("hardware", made, ray=False, cpu_cores=2).status == OK


def test_failed_checks_stop_training_unless_forced() -> None:
    found = [Check("memory", BAD, "too much", "METHOD=qlora"), Check("disk", OK, "enough")]
    with pytest.raises(UserError, match="memory") as caught:
        refuse(found, force=False)
    assert "FORCE=1" in caught.value.hint
    refuse(found, force=True)


def test_the_checks_are_numbered() -> None:
    lines = text([Check("one", OK, "fine"), Check("two", BAD, "bad", "do this\nor that")]).splitlines()
    assert lines[0] == "  [1/2] ✓ one: fine"
    assert lines[1].startswith("  [2/2] ✗ two")
    assert [line.strip() for line in lines[2:]] == ["do this", "or that"]


def test_the_token_is_looked_for_where_the_hub_keeps_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HF_TOKEN", raising=False)
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    assert not has_token()
    (tmp_path / "token").write_text("x")
    assert has_token()


# Qwen's own table for an A100, LoRA with checkpointing: tokens a sequence -> tokens a second (8 sequences / seconds)
@pytest.mark.parametrize(
    ("length", "measured"), [(256, 1707), (512, 2731), (1024, 2926), (2048, 3151), (4096, 3244), (8192, 3077)]
)
def test_speed_is_met_within_a_factor_of_two(length: int, measured: float) -> None:
    settings = {"finetuning_type": "lora", "bf16": True, "cutoff_len": length, "per_device_train_batch_size": 1}
    speed = tokens_a_second(
        QWEN_7B, settings, Hardware(name="a100", title="a100", kind="cuda", memory_gb=80, compute_capability=8.0)
    )
    assert 0.5 < speed / measured < 2


def test_time_is_not_told_where_nothing_is_known() -> None:
    settings = {"cutoff_len": 512, "per_device_train_batch_size": 1, "num_train_epochs": 1}
    assert (
        seconds(
            QWEN_7B,
            settings,
            Hardware(name="old", title="old", kind="cuda", memory_gb=8, compute_capability=5.0),
            FEW_ROWS,
        )
        == 0
    )
    assert (
        seconds(
            QWEN_7B,
            settings,
            Hardware(name="a100", title="a100", kind="cuda", memory_gb=80, compute_capability=8.0),
            DataFacts(),
        )
        == 0
    )


LAW_ZH = DataFacts(language="zh", raw_rows=285_781)


def test_before_conversion_the_known_rows_are_counted_and_limit_bounds_them() -> None:
    whole, few = data_facts("law_zh"), data_facts("law_zh", limit=1000)
    assert (whole.rows, whole.raw_rows, few.raw_rows) == (0, 285_781, 1000)
    one_card = replace(recipe("qwen3-8b", "lora", "80gb"), data=whole)
    assert one_card.seconds > 100 * replace(one_card, data=few).seconds / 2
    assert "285,781 rows" in one("time", one_card).words


@pytest.mark.slow
def test_more_than_a_day_is_no_tick_and_says_what_would_be_an_evening() -> None:
    made = replace(recipe("qwen3-8b", "qlora", "t4"), data=LAW_ZH)
    check = one("time", made)
    assert check.status == OPEN
    limit = int(re.search(r"LIMIT=(\d+)", check.hint)[1])  # type: ignore[index]
    assert replace(made, data=replace(LAW_ZH, raw_rows=limit)).seconds == pytest.approx(4 * 3600, rel=0.1)
    assert "HARDWARE=" in check.hint
    own = replace(made, task="mine")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(suggest, "is_own", lambda task: True)
        assert 'SET="max_samples=' in one("time", own).hint
    assert one("time", replace(made, data=replace(LAW_ZH, raw_rows=500))).status == OK


def test_steps_and_samples_that_are_set_count() -> None:
    made = replace(recipe("qwen3-8b", "lora", "80gb"), data=replace(LAW_ZH, rows=285_781, mean_characters=600))

    def with_set(**overrides: Any) -> float:
        return replace(made, overrides=overrides).seconds

    assert with_set(max_samples=1000) < with_set() / 50
    assert with_set(max_steps=20) == pytest.approx(with_set(max_steps=10), rel=1)
    assert with_set(max_steps=1000) - 40 == pytest.approx(100 * (with_set(max_steps=10) - 40), rel=0.01)


def test_the_time_has_its_price(monkeypatch: pytest.MonkeyPatch) -> None:
    made = replace(recipe("qwen3-8b", "lora", "80gb"), data=replace(LAW_ZH, raw_rows=10_000))
    monkeypatch.delenv("PRICE_PER_HOUR", raising=False)
    listed = price_per_hour(made.hardware)
    assert listed is not None
    assert made.dollars == pytest.approx(made.seconds / 3600 * listed.dollars)
    assert f"${made.dollars:.2f} at ${listed.dollars:.2f} an hour" in one("time", made).words
    monkeypatch.setenv("PRICE_PER_HOUR", "$12")
    assert made.dollars == pytest.approx(made.seconds / 300)
    monkeypatch.setenv("PRICE_PER_HOUR", "cheap")
    with pytest.raises(UserError, match="PRICE_PER_HOUR=cheap"):
        one("time", made)


def test_a_card_is_found_in_the_list_by_its_name_and_memory() -> None:
    def card(title: str, memory_gb: float, devices: int = 1, kind: Any = "cuda") -> float | None:
        found = price_per_hour(Hardware(name="auto", title=title, kind=kind, memory_gb=memory_gb, devices=devices), {})
        return found and found.dollars

    forty, eighty = card("NVIDIA A100-SXM4-40GB", 39.2), card("NVIDIA A100-SXM4-80GB", 78.4)
    assert forty
    assert eighty
    assert card("NVIDIA A100-SXM4-80GB", 78.4, devices=8) == 8 * eighty
    assert card("a card that nobody rents out", 11.0) is None
    assert card("no GPU", 80.0, kind="cpu") is None


def test_seconds_in_words() -> None:
    assert [in_words(value) for value in (45, 600, 7200)] == ["45 s", "10 min", "2.0 h"]


def test_the_command_prints_the_plan_and_fails_when_a_check_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("GPUS", "NNODES", "HF_ENDPOINT"):
        monkeypatch.delenv(name, raising=False)
    folder = tmp_path / "data" / "medical_en"
    folder.mkdir(parents=True)
    lengths = {"total": {"mean": 500, "p95": 600}}
    card = {"source": "here", "files": {"train": {"rows": 170, "sha256": "x"}}, "lengths": lengths}
    (folder / "card.json").write_text(json.dumps(card))
    (tmp_path / "dataset_info.json").write_text(json.dumps({"medical_en": {"ranking": True}}))
    names = ["plan", "--task", "medical_en", "--model", "llama2-7b", "--method"]
    right = CliRunner().invoke(main, [*names, "lora", "--hardware", "24gb"])
    assert "[1/8] ✗ data" in right.output
    assert isinstance(right.exception, UserError)
