"""What can go wrong with a sweep that is under way: nothing is lost, nothing is done twice, and the user is told."""

import subprocess
from dataclasses import replace

import pytest
import yaml

from common.errors import UserError
from common.files import write_json
from common.process import only_one
from common.sweep_files import DONE, FAILED, State, read_state, write_state
from recipes.__main__ import main
from recipes.sweeping import command
from recipes.sweeping.command import planned, sweep
from recipes.sweeping.planning import preview
from recipes.sweeping.running import one_run
from tests.checkout import ROOT

SWEEP = {"task": "medical_en", "model": "smollm2-135m", "hardware": "cpu", "compare": {"lora_rank": [4, 8]}}


@pytest.fixture
def plan(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "s.yaml").write_text(yaml.safe_dump(SWEEP))
    return planned("s.yaml")


def finish(plan, run):
    """Leave what a finished run leaves."""
    for path in one_run.RESULTS.values():
        write_json(plan.folder.parents[2] / run.folder / path, {})
    write_json(plan.folder.parents[2] / run.folder / "manifest.json", {"steps": {}})
    write_state(plan, run, State(DONE, key=run.key))


def test_a_run_whose_folder_was_deleted_is_to_be_done_again_and_the_other_is_not(plan, tmp_path):
    import shutil

    for run in plan.runs:
        finish(plan, run)
    assert all(one_run.is_done(plan, run) for run in plan.runs)
    shutil.rmtree(plan.runs[0].folder)
    assert [one_run.is_done(plan, run) for run in plan.runs] == [False, True]
    assert one_run.missing(plan, plan.runs[0]).endswith("is gone")
    (tmp_path / plan.runs[1].folder / "heldout.json").unlink()
    assert "heldout.json is gone" in one_run.missing(plan, plan.runs[1])


def test_a_second_start_of_the_same_sweep_is_refused(plan):
    with only_one(plan.folder), pytest.raises(UserError, match=str(plan.folder)):
        sweep("s.yaml")


def test_a_run_that_the_disk_has_no_room_for_fails_alone_and_says_so(plan, monkeypatch, capsys):
    monkeypatch.setattr(one_run, "disk_gb", lambda recipe, downloaded: 1e9)
    monkeypatch.setattr(one_run, "prepare_shared", lambda *_: None)
    assert not one_run.do(plan, plan.runs[0])
    found = read_state(plan, plan.runs[0])
    assert found.state == FAILED
    assert "no space left on disk: about 1000000000.0 GB are needed" in found.error
    assert "no space left on disk" in capsys.readouterr().err
    assert read_state(plan, plan.runs[1]).state == "waiting"


def test_a_state_file_that_was_cut_off_is_begun_anew(plan):
    write_state(plan, plan.runs[0], State(DONE))
    plan.state_file(plan.runs[0]).write_text('{"state": "do')
    assert read_state(plan, plan.runs[0]).state == "waiting"


@pytest.mark.parametrize(
    ("judge", "key", "words"),
    [
        ("auto", "", "judging (reference): about 200 judgments each at 20 questions a task, both orders; no cost"),
        ("auto", "k", "judging (gpt-6-luna): about 200 judgments each at 20 questions a task, both orders; about $"),
        ("gpt-4o-mini odd-9", "k", "odd-9 not counted: no known price"),
    ],
)
def test_the_plan_says_what_the_judge_will_cost(plan, monkeypatch, judge, key, words):
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)
    monkeypatch.delenv("JUDGE_MODEL", raising=False)
    monkeypatch.setenv("OPENAI_API_KEY", key)
    found, problems = preview.completed(planned("s.yaml", judge=judge))
    assert not problems
    assert words in preview.table(found)


def test_a_sweep_goes_on_as_what_it_was(plan, tmp_path):
    first = planned("s.yaml", name="seeds", overrides="lora_dropout=0.1", limit=40, model="smollm2-360m")
    first.save()
    assert first.typed == "make sweep SWEEP=s.yaml NAME=seeds LIMIT=40 MODEL=smollm2-360m SET=lora_dropout=0.1"
    (tmp_path / "s.yaml").unlink()
    again = planned("seeds")
    assert again == first
    assert [run.set for run in again.runs] == [
        "lora_dropout=0.1 lora_rank=4 lora_alpha=8", "lora_dropout=0.1 lora_rank=8 lora_alpha=16",
    ]  # fmt: skip
    assert planned("seeds", judge="gpt-4o") == replace(first, judge="gpt-4o", typed=f"{first.typed} JUDGE=gpt-4o",
                                                       content=f"{first.content}judge: gpt-4o\n")  # fmt: skip


def test_another_plan_under_the_same_name_is_refused_with_the_difference(plan, tmp_path, monkeypatch):
    planned("s.yaml", limit=40).save()
    (tmp_path / "s.yaml").write_text(yaml.safe_dump(SWEEP | {"compare": {"lora_rank": [4, 16]}}))
    with pytest.raises(UserError) as told:
        sweep("s.yaml")
    assert told.value.message.splitlines() == [
        "s was started as another plan (make sweep SWEEP=s.yaml LIMIT=40):",
        "  - run rank-8 (runs/medical_en/smollm2-135m/lora-rank-8-alpha-16) is not in it",
        "  - LIMIT was 40, now not given",
    ]
    assert "SWEEP=s goes on with that one" in told.value.hint
    write_state(plan, plan.runs[1], State(FAILED))  # what failed may go
    monkeypatch.setattr(command, "completed", lambda plan: (plan, [("", "enough")]))
    with pytest.raises(UserError, match="enough"):
        sweep("s.yaml", limit=40)


def test_a_plan_is_shown_although_a_run_cannot_work(plan, monkeypatch, capsys):
    monkeypatch.setattr(preview, "disk_gb", lambda *_: 1e6)
    assert sweep("s.yaml", dry=True)
    shown = capsys.readouterr().out
    assert "these runs cannot work:" in shown
    assert "disk: all runs together take about 2000000.0 GB" in shown


@pytest.mark.parametrize("only", ["", "rank-5"])
def test_a_run_that_the_sweep_does_not_have_is_an_error_and_not_the_whole_sweep(plan, only):
    plan.save()
    with pytest.raises(UserError, match=f"s has no run '{only}'") as told:
        main(["sweep", "--sweep", "s", "--only", only], standalone_mode=False)
    assert "its runs: rank-4, rank-8" in told.value.hint


@pytest.mark.parametrize(("words", "passed"), [("", False), ("ONLY=", True), ("ONLY=rank-8", True)])
def test_make_passes_only_on_where_it_was_given(words, passed):
    line = f"make -n -o setup sweep SWEEP=x {words}"
    done = subprocess.run(line.split(), cwd=ROOT, capture_output=True, text=True, check=True)
    assert ("--only" in done.stdout) == passed


def test_a_run_that_would_be_the_baseline_once_more_is_left_out_with_the_reason(tmp_path, monkeypatch):
    """As many rows as there are, or more, are all of them."""
    monkeypatch.chdir(tmp_path)
    rows = {name: {"rows": 120, "sha256": name} for name in ("train", "val", "test")}
    figures = {"mean": 90, "p50": 80, "p95": 200, "p99": 300, "max": 400}
    write_json(
        tmp_path / "data/medical_en/card.json",
        {
            "task": "medical_en",
            "files": rows,
            "lengths": dict.fromkeys(("prompt", "output", "total"), figures),
            "format": "alpaca",
            "source": "x",
        },
    )
    content = {**SWEEP, "mode": "one-at-a-time", "compare": {"max_samples": [50, 120, 8000], "seed": [43]}}
    (tmp_path / "s.yaml").write_text(yaml.safe_dump(content))
    plan, _ = preview.completed(planned("s.yaml"))
    assert [run.name for run in plan.runs] == ["baseline", "rows-50", "seed-43"]
    assert plan.left_out[1] == (
        "rows-8000 is left out: it is baseline once more (medical_en has 120 rows, max_samples is 8,000)"
    )
    assert plan.axes["max_samples"] == ["default", 50]
    assert plan.left_out[0] in preview.table(plan)


def test_what_is_too_much_for_the_disk_is_told_a_way_on():
    together, of_one = ("", "disk: too small"), ("rank-8", "memory: too much")
    assert preview.cannot_work([together])[1].startswith("fewer runs")
    told, way = preview.cannot_work([of_one, together])
    assert told == "these runs cannot work:\n  - rank-8: memory: too much\n  - disk: too small"
    assert way == 'SKIP="rank-8" leaves them out'
