"""A sweep file to its runs, what is wrong with one, and the whole of a small one on twins."""

import json

import pytest

from common.errors import UserError
from common.overrides import as_set
from common.run_files import STEPS
from common.subprocesses import command
from recipes.sweeping.planning import resolve
from recipes.sweeping.planning.expand import drafts
from recipes.sweeping.planning.spec import build
from recipes.sweeping.running import compare, local
from recipes.sweeping.sweep import Run
from tests.checkout import ROOT, Checkout

TWIN = "models/twins/smollm2-135m"
READY_MADE = sorted((ROOT / "recipes" / "sweeps").glob("*.yaml"))


def spec(**content):
    return build({"task": "medical_en", "model": "smollm2-135m", **content}, {}, "s", "s.yaml")


def run_of(number, devices=0):
    return Run(
        f"r{number}", f"r{number}", f"r{number}", "base", f"runs/{number}", "t", "m", "lora", "", devices=devices
    )


def test_a_grid_is_every_combination():
    found = drafts(spec(compare={"lora_rank": [4, 16], "method": ["lora", "dora"]}))
    points = [(draft.settings["lora_rank"], draft.words["method"]) for draft in found]
    assert points == [(4, "lora"), (4, "dora"), (16, "lora"), (16, "dora")]


def test_one_at_a_time_moves_one_axis_off_the_baseline():
    axes = {"lora_rank": [4, 16], "num_train_epochs": [1.0, 3.0]}
    found = drafts(spec(compare=axes, mode="one-at-a-time", baseline={"lora_rank": 4}))
    assert [draft.off for draft in found] == ["", "lora_rank", "num_train_epochs", "num_train_epochs"]
    assert found[0].settings == {"lora_rank": 4}
    assert found[2].settings == {"lora_rank": 4, "num_train_epochs": 1.0}


def test_the_command_line_takes_the_place_of_the_file():
    content = {"task": "law_en", "model": "a", "compare": {"model": ["b", "c"], "lora_rank": [4, 8]}}
    found = build(content, {"task": "medical_en", "model": "smollm2-135m", "set": {"lora_rank": 2}}, "s", "s.yaml")
    assert found.words == {"task": ["medical_en"], "model": ["smollm2-135m"]}
    assert found.axes == {}
    assert found.settings == {"lora_rank": 2}


def test_all_that_is_wrong_is_told_at_once():
    with pytest.raises(UserError) as told:
        spec(compaer={}, compare={"lora_rnak": [1]}, steps=["judge"], limit=0, keep=["everything"], set="bf16=maybe")
    for words in ("'compaer'", "lora_rank", "judge needs answer", "limit must be 1", "'everything'", "bf16"):
        assert words in told.value.message


def test_settings_survive_the_way_through_set():
    assert as_set({"a": "x y", "b": 5e-05, "c": True, "d": 4}) == "'a=x y' b=5e-05 c=true d=4"


def test_cards_are_given_out_and_taken_back():
    places = local.Places(["0", "1", "2"])
    big, small, other = run_of(1, 2), run_of(2, 1), run_of(3, 2)
    assert places.take([big, small, other]) == (big, ["0", "1"])
    assert places.take([other, small]) == (small, ["2"])
    assert places.take([other]) is None
    places.give_back(big)
    assert places.take([other]) == (other, ["0", "1"])


def test_outside_contestants_are_asked_by_name_model_and_place():
    asked = compare.asked("mine=gpt-4o@http://here/v1", "law_en", "")
    assert command("eval", "answer", **asked)[3:] == [
        "answer", "--task", "law_en", "--who", "mine", "--model-name", "gpt-4o", "--endpoint", "http://here/v1",
    ]  # fmt: skip
    other = compare.asked("chatgpt", "law_en", "q.csv")
    assert command("eval", "answer", **other)[4:] == [
        "--task", "law_en", "--who", "chatgpt", "--questions", "q.csv",
    ]  # fmt: skip


def test_rows_with_and_without_what_a_model_wrote_meet_on_the_same_questions(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(resolve, "_wrong_names", lambda found: [])
    content = {"model": "smollm2-135m", "hardware": "cpu", "compare": {"task": ["medical_en", "medical_en+rewritten"]}}
    plan = resolve.resolve(build(content, {}, "s", "s.yaml"))
    assert plan.tasks == ["medical_en"]
    assert [run.contestant for run in plan.of_task("medical_en")] == ["smollm2-135m-lora", "rewritten"]
    assert [run.name for run in plan.runs] == ["smollm2-135m-lora", "rewritten"]


@pytest.fixture(scope="module")
def checkout(tmp_path_factory):
    return Checkout(tmp_path_factory.mktemp("sweep"))


@pytest.mark.slow
@pytest.mark.parametrize("path", READY_MADE, ids=lambda path: path.stem)
def test_the_ready_made_ones_plan_without_a_start(checkout, path):
    said = checkout(f"make sweep SWEEP=recipes/sweeps/{path.name} DRY=1 HARDWARE=80gb MODEL=qwen3-0.6b")
    assert "training: not known before the rows are here (make convert TASK=medical_en)" in said
    assert not (checkout.folder / "runs").exists()


@pytest.mark.slow
def test_unknown_names_are_told_before_anything_runs(checkout):
    (checkout.folder / "wrong.yaml").write_text("task: medcal_en\nmodel: qwen3-06b\ncompare: {method: [lora, qlroa]}\n")
    said = checkout.fails("make sweep SWEEP=wrong.yaml")
    for name in ("medcal_en", "qlroa"):
        assert name in said
    assert not (checkout.folder / "runs").exists()


@pytest.mark.slow
def test_a_sweep_of_twins_goes_on_past_a_failed_run_and_does_nothing_twice(checkout):
    """The whole way from rows to a report. About 2 minutes."""
    checkout("make twin MODEL=smollm2-135m")
    rows = {"task": "medical_en", "model": TWIN, "hardware": "cpu", "source": "converters/examples/medical_en"}
    small = {"limit": 40, "steps": ["train", "heldout"], "set": {"max_steps": 2, "cutoff_len": 128, "save_steps": 1}}
    sweep = rows | small | {"runs": [{"lora_rank": 4}, {"lora_rank": 8, "resume_from_checkpoint": "nowhere"}]}
    (checkout.folder / "twins.yaml").write_text(json.dumps(sweep))
    first = checkout.run("make sweep SWEEP=twins.yaml")
    assert first.returncode, first.stdout
    folder = checkout.folder / "runs" / "sweeps" / "twins"
    plan = json.loads((folder / "sweep.json").read_text())
    states = [json.loads((folder / "state" / f"{run['id']}.json").read_text()) for run in plan["runs"]]
    assert [state["state"] for state in states] == ["done", "failed"], first.stdout + first.stderr
    assert states[1]["step"] == "train"
    heldout = checkout.folder / plan["runs"][0]["folder"] / "heldout.json"
    written = heldout.stat().st_mtime_ns

    sweep["runs"][1].pop("resume_from_checkpoint")
    (checkout.folder / "twins.yaml").write_text(json.dumps(sweep))
    said = checkout("make sweep SWEEP=twins.yaml")
    assert "1 of 2 are done already" in said
    assert "twins: 2 of 2 done" in said
    assert heldout.stat().st_mtime_ns == written
    assert "2 of 2 are done already" in checkout("make sweep SWEEP=twins.yaml")
    assert "2 of 2 done" in checkout("make sweep SWEEP=twins STATUS=1")

    asked = [{"question": f"What is {name}?", "reference": f"{name} is a disease."} for name in ("gout", "rickets")]
    (checkout.folder / "mine.jsonl").write_text("".join(json.dumps(row) + "\n" for row in asked))
    sweep |= {"steps": list(STEPS), "questions": "mine.jsonl", "max_tokens": 4}
    (checkout.folder / "twins.yaml").write_text(json.dumps(sweep))
    said = checkout("make sweep SWEEP=twins.yaml")
    assert "make report SWEEP=twins" in said
    assert heldout.stat().st_mtime_ns == written
    met = json.loads((folder / "compare/medical_en/metrics.json").read_text())
    assert set(met["contestants"]) == {"lora_rank-4", "lora_rank-8", "base"}
    assert len(met["comparisons"]) == 3
    checkout("make report SWEEP=twins")
    report = (checkout.folder / "runs/reports/twins/report.md").read_text(encoding="utf-8")
    for words in ("Loss on the held-out rows", "judged against those of its base", "Elo scale", "make sweep SWEEP="):
        assert words in report
