"""A sweep file with the command line's words in their place, and all that is wrong with one."""

import pytest

from common.errors import UserError
from recipes.sweeping.planning.sweep_file import read, read_sweep_file
from tests.checkout import ROOT
from tests.recipes.sweeping.samples import sweep_file


def test_the_command_line_takes_the_place_of_the_file():
    content = {"task": "law_en", "model": "a", "compare": {"method": ["lora", "dora"], "lora_rank": [4, 8]},
               "baseline": {"lora_rank": 4}}  # fmt: skip
    given = {"task": "medical_en", "model": "smollm2-135m qwen3-0.6b", "method": "dora", "set": {"lora_rank": 2}}
    found = read(content, given, "s.yaml")
    assert (found.task, found.model, found.method) == (("medical_en",), ("smollm2-135m", "qwen3-0.6b"), ("dora",))
    assert found.compare == {}
    assert found.set == {"lora_rank": 2}
    assert found.baseline == {}


def test_names_are_taken_in_any_case():
    axes = {"model": ["Qwen3-8B", "Qwen/Qwen3-4B"], "method": ["QLoRA", "lora"]}
    found = read({"task": "Law_ZH", "hardware": "T4", "compare": axes, "baseline": {"method": "LoRA"}}, {}, "s.yaml")
    assert (found.task, found.hardware, found.baseline) == (("law_zh",), ("t4",), {"method": "lora"})
    assert [one.label for one in found.compare["model"]] == ["qwen3-8b", "Qwen/Qwen3-4B"]
    assert [one.label for one in found.compare["method"]] == ["qlora", "lora"]
    runs = read({"task": "law_zh", "runs": [{"model": "Qwen3-8B"}]}, {}, "s.yaml").runs
    assert runs[0]["model"].label == "qwen3-8b"


def test_all_that_is_wrong_is_told_at_once():
    with pytest.raises(UserError) as told:
        sweep_file(
            compaer={}, compare={"lora_rnak": [1], "lora_rank": [4, "many", 4]}, steps=["judge"], limit=0,
            keep=["everything"], set="bf16=maybe fp16", gpus=0,
        )  # fmt: skip
    for words in (
        "has 10 invalid entries", "unknown key 'compaer'; did you mean compare?", "steps: judge needs answer",
        "compare: lora_rnak: unknown key 'lora_rnak'; did you mean lora_rank?",
        "compare: lora_rank: lora_rank must be a whole number, got 'many'", "compare: lora_rank holds '4' twice",
        "limit must be at least 1", "keep.0 must be one of adapter, export, got 'everything'",
        "set: bf16 must be true or false, got 'maybe'", "set: 'fp16' is not key=value", "gpus.0 must be at least 1",
    ):  # fmt: skip
        assert words in told.value.message


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({"compare": {"lora_rank": [4]}, "runs": [{"lora_rank": 8}]}, "compare and runs exclude each other"),
        ({"compare": {"model": ["a", "b"]}}, "model is both fixed and an axis of compare"),
        ({"task": ""}, "no task is named: `task: ...` in the file, or TASK=... on the command line"),
        ({"steps": ["heldout"]}, "steps: heldout needs train"),
        ({"compare": {"lora_rank": [4]}, "baseline": {"lora_rank": 8}}, "baseline: lora_rank has no value 8; it has 4"),
        ({"compare": {"lora_rank": [4]}, "baseline": {"lora_rnak": 8}}, "did you mean lora_rank?"),
        ({"compare": {"data": ["short"]}}, "compare: data: must name settings of the converter"),
        ({"runs": [{"lora_rank": 8}, {"lora_rank": "x"}]}, "runs: [2] lora_rank must be a whole number, got 'x'"),
        ({"mode": "all"}, "mode must be one of grid, one-at-a-time, got 'all'"),
    ],
)
def test_what_cannot_be_is_told(content, words):
    with pytest.raises(UserError) as told:
        sweep_file(**content)
    assert words in told.value.message


def test_names_of_settings_make_an_axis():
    found = sweep_file(compare={"size": {"small": "lora_rank=4 lora_alpha=8", "big": {"lora_rank": 64}}})
    assert found.compare["size"] == (
        ("small", {"lora_rank": 4, "lora_alpha": 8}), ("big", {"lora_rank": 64}),
    )  # fmt: skip


def test_a_key_that_stands_twice_is_an_error_and_an_exponent_is_a_number(tmp_path):
    path = tmp_path / "s.yaml"
    path.write_text("compare: {learning_rate: [1e-4, 2.5e-5]}")
    assert read_sweep_file(path) == {"compare": {"learning_rate": [1e-4, 2.5e-5]}}
    path.write_text("task: a\ntask: b")
    with pytest.raises(UserError, match="'task' stands there twice"):
        read_sweep_file(path)


def test_the_ready_made_sweeps_are_listed_where_a_file_is_not_found(tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT)
    with pytest.raises(UserError, match="there is no sweep file") as told:
        read_sweep_file(tmp_path / "method.yaml")
    assert "recipes/sweeps/methods.yaml" in told.value.hint
