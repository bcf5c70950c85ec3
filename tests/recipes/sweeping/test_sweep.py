"""A sweep file to its runs, what is wrong with one, and the whole of a small one on twins."""

import json
import re
from pathlib import Path

import pytest

from common.errors import UserError
from common.sweep_files import STEPS
from recipes.sweeping.command import sweep
from tests.checkout import ROOT, Checkout

TWIN = "models/twins/smollm2-135m"
READY_MADE = sorted((ROOT / "recipes" / "sweeps").glob("*.yaml"))


@pytest.fixture(scope="module")
def checkout(tmp_path_factory):
    return Checkout(tmp_path_factory.mktemp("sweep"))


@pytest.mark.parametrize("path", READY_MADE, ids=lambda path: path.stem)
def test_the_ready_made_ones_plan_without_a_start(path, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert sweep(str(path), dry=True, hardware="80gb", task="medical_en", model="qwen3-0.6b")
    said = capsys.readouterr().out
    assert re.search(r"^training: .*; disk: ", said, re.MULTILINE), said
    assert not (tmp_path / "runs").exists()


def test_unknown_names_are_told_before_anything_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("wrong.yaml").write_text("task: medcal_en\nmodel: qwen3-06b\ncompare: {method: [lora, qlroa]}\n")
    with pytest.raises(UserError) as told:
        sweep("wrong.yaml")
    for name in ("medcal_en", "qlroa"):
        assert name in str(told.value)
    assert not Path("runs").exists()


@pytest.mark.slow
def test_a_sweep_of_twins_goes_on_past_a_failed_run_and_does_nothing_twice(checkout):
    """The whole way from rows to a report. About 2 minutes."""
    checkout("make twin MODEL=smollm2-135m")
    rows = {"task": "medical_en", "model": TWIN, "hardware": "cpu", "source": "converters/examples/medical_en"}
    small = {"limit": 40, "steps": ["train", "heldout"], "set": {"max_steps": 2, "cutoff_len": 128, "save_steps": 1}}
    wanted = rows | small | {"runs": [{"lora_rank": 4}, {"lora_rank": 8, "resume_from_checkpoint": "nowhere"}]}
    (checkout.folder / "twins.yaml").write_text(json.dumps(wanted))
    first = checkout.run("make sweep SWEEP=twins.yaml FORCE=1")
    assert first.returncode, first.stdout
    folder = checkout.folder / "runs" / "sweeps" / "twins"
    plan = json.loads((folder / "sweep.json").read_text())
    states = [json.loads((folder / "state" / f"{run['id']}.json").read_text()) for run in plan["runs"]]
    assert [state["state"] for state in states] == ["done", "failed"], first.stdout + first.stderr
    assert states[1]["step"] == "train"
    heldout = checkout.folder / plan["runs"][0]["folder"] / "heldout.json"
    written = heldout.stat().st_mtime_ns

    asked = [{"question": f"What is {name}?", "reference": f"{name} is a disease."} for name in ("gout", "rickets")]
    (checkout.folder / "mine.jsonl").write_text("".join(json.dumps(row) + "\n" for row in asked))
    wanted["runs"][1].pop("resume_from_checkpoint")
    wanted |= {"steps": list(STEPS), "questions": "mine.jsonl", "max_tokens": 4}
    (checkout.folder / "twins.yaml").write_text(json.dumps(wanted))
    said = checkout("make sweep SWEEP=twins.yaml")
    assert "twins: 2 of 2 done" in said
    assert "make report SWEEP=twins" in said
    assert heldout.stat().st_mtime_ns == written
    assert "2 of 2 are done already" in checkout("make sweep SWEEP=twins")
    assert "2 of 2 done" in checkout("make sweep SWEEP=twins STATUS=1")
    met = json.loads((folder / "compare/medical_en/metrics.json").read_text())
    assert set(met["contestants"]) == {"rank-4", "rank-8", "base"}
    assert len(met["comparisons"]) == 3
    checkout("make report SWEEP=twins")
    report = (checkout.folder / "runs/reports/twins/report.md").read_text(encoding="utf-8")
    for words in ("Loss on the held-out rows", "against those of its base", "under one seed", "make sweep SWEEP="):
        assert words in report
