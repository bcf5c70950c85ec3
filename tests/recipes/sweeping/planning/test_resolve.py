"""Runs with their folders and names, and names that nobody knows."""

from dataclasses import replace

import pytest

from common.errors import UserError
from recipes.sweeping.planning import resolve as resolving
from recipes.sweeping.planning.resolve import resolve
from tests.recipes.sweeping.samples import sweep_file


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def test_rows_with_and_without_what_a_model_wrote_meet_on_the_same_questions(monkeypatch):
    monkeypatch.setattr(resolving, "_problems", lambda *_: [])
    file = sweep_file(hardware="cpu", compare={"task": ["medical_en", "medical_en+rewritten"]}, task=[])
    plan = resolve(file, "s", "s.yaml")
    assert plan.tasks == ["medical_en"]
    assert [run.contestant for run in plan.of_task("medical_en")] == ["smollm2-135m-lora", "rewritten"]
    assert [run.name for run in plan.runs] == ["smollm2-135m-lora", "rewritten"]


def test_folders_are_readable_and_shared_where_the_settings_are_the_recipes_own():
    plan = resolve(
        sweep_file(hardware="cpu", compare={"lora_rank": [8, 16]}, baseline={"lora_rank": 16}), "s", "s.yaml"
    )
    assert [run.folder for run in plan.runs] == [
        "runs/medical_en/smollm2-135m/lora-rank-8-alpha-16",
        "runs/medical_en/smollm2-135m/lora",
    ]
    assert [run.baseline for run in plan.runs] == [plan.runs[1].id, plan.runs[1].id]
    assert plan.axes == {"lora_rank": [8, 16]}
    common = {"max_steps": 2, "save_steps": 1, "template": "default", "lora_dropout": 0.1}
    plan = resolve(sweep_file(hardware="cpu", set=common, compare={"lora_rank": [8, 4]}), "mine", "s.yaml")
    assert [run.variant for run in plan.runs] == ["mine-rank-8", "mine-rank-4"]


def test_a_started_sweep_keeps_the_folders_that_its_runs_have():
    file = sweep_file(hardware="cpu", compare={"lora_rank": [4, 8]})
    before = resolve(file, "s", "s.yaml")
    old = replace(before.runs[0], variant="lora_rank-4-89a5e6")
    after = resolve(file, "s", "s.yaml", replace(before, runs=[old]))
    assert [run.variant for run in after.runs] == ["lora_rank-4-89a5e6", "rank-8-alpha-16"]
    assert after.runs[0].id == "medical_en.smollm2-135m.lora-lora_rank-4-89a5e6"


def test_every_name_that_nobody_knows_is_told_with_the_nearest():
    content = {"task": "medcal_en", "model": ["smollm2-135m", "qwen3-06b"], "compare": {"method": ["lora", "qlroa"]}}
    data = {"data": {"bad name!": "near=0", "short": "max_outptu=60 seed=1"}}
    with pytest.raises(UserError) as told:
        resolve(sweep_file(**content, hardware="25gb"), "s", "s.yaml")
    for words in ("did you mean medical_en?", "did you mean qwen3-0.6b?", "did you mean qlora?", "'25gb'"):
        assert words in told.value.message
    with pytest.raises(UserError) as told:
        resolve(sweep_file(**data, compare={"method": ["lora", "rm"]}, hardware="cpu"), "s", "s.yaml")
    for words in (
        "names no variant",
        "max_outptu",
        "a variant cannot set seed",
        "steps without heldout, answer, judge",
    ):
        assert words in told.value.message


def test_two_runs_that_are_the_same_are_told():
    with pytest.raises(UserError, match="is twice the same run"):
        resolve(sweep_file(hardware="cpu", runs=[{"seed": 8}, {"set": "seed=8"}]), "s", "s.yaml")


def test_a_varied_rank_takes_alpha_along_unless_it_is_named():
    def settings(**content):
        plan = resolve(sweep_file(hardware="cpu", **content), "s", "s.yaml")
        return [run.set for run in plan.runs]

    ranks = {"compare": {"lora_rank": [8, 16, 32]}}
    assert settings(**ranks) == ["lora_rank=8 lora_alpha=16", "lora_rank=16", "lora_rank=32 lora_alpha=64"]
    assert settings(**ranks, method="rslora") == ["lora_rank=8", "lora_rank=16", "lora_rank=32"]
    assert settings(**ranks, set="lora_alpha=10")[0] == "lora_alpha=10 lora_rank=8"


def test_an_axis_that_changes_nothing_is_told():
    with pytest.raises(UserError) as told:
        resolve(sweep_file(hardware="cpu", method="freeze", compare={"lora_rank": [4, 8]}), "s", "s.yaml")
    assert "lora_rank changes nothing with METHOD=freeze: finetuning_type is freeze, not lora" in told.value.message
    assert "1 invalid entry" in told.value.message
    axes = {"freeze_trainable_layers": [1, 2], "learning_rate": [1e-4]}
    assert resolve(sweep_file(hardware="cpu", method="freeze", compare=axes), "s", "s.yaml").axes


def test_what_is_mixed_with_a_tasks_rows_is_an_axis():
    axis = {"mix": ["", "self_instruct@0.1", "scored@random4"]}
    plan = resolve(sweep_file(hardware="cpu", compare=axis, baseline={"mix": "real"}), "s", "s.yaml")
    assert [run.task for run in plan.runs] == [
        "medical_en", "medical_en+self_instruct@0.1", "medical_en+scored@random4",
    ]  # fmt: skip
    assert [run.name for run in plan.runs] == ["real", "self_instruct-0.1", "scored-random4"]
    assert {run.baseline for run in plan.runs} == {plan.runs[0].id}
    assert plan.tasks == ["medical_en"]


def test_runs_are_skipped_by_any_name_and_a_wrong_one_is_told():
    content = {
        "hardware": "cpu",
        "compare": {"method": ["lora", "dora"], "lora_rank": [4, 8]},
        "baseline": {"method": "lora"},
    }
    plan = resolve(sweep_file(**content, skip="dora"), "s", "s.yaml")
    assert [run.name for run in plan.runs] == ["lora-rank-4", "lora-rank-8"]
    assert plan.left_out == ("dora-rank-4 is left out: SKIP", "dora-rank-8 is left out: SKIP")
    assert plan.axes["method"] == ["lora"]
    plan = resolve(sweep_file(**content, skip="LoRA"), "s", "s.yaml")
    assert [run.baseline for run in plan.runs] == [None, None]
    with pytest.raises(UserError, match="did you mean dora"):
        resolve(sweep_file(**content, skip="dorra"), "s", "s.yaml")
    with pytest.raises(UserError, match="no run is left"):
        resolve(sweep_file(**content, skip="lora dora"), "s", "s.yaml")
