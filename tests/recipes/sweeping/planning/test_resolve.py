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
        "runs/medical_en/smollm2-135m/lora-rank-8",
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
    assert [run.variant for run in after.runs] == ["lora_rank-4-89a5e6", "rank-8"]
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
        resolve(sweep_file(hardware="cpu", runs=[{"lora_rank": 8}, {"set": "lora_rank=8"}]), "s", "s.yaml")
