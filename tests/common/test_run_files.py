"""The files of a run and of a sweep: read as they are declared, and a broken one is named."""

from dataclasses import asdict, replace
from pathlib import Path

import pytest

from common import run_files
from common.errors import UserError
from common.files import read_json, write_json, write_text
from common.run_files import Plan, Run, State

RUN = Run(
    id="t.m.lora-a", name="a", contestant="a", base="base-m", folder="runs/t/m/lora-a", task="t~raw+scored",
    model="m", method="lora", variant="a", point={"lora_rank": 8}, devices=1,
)  # fmt: skip
PLAN = Plan("ranks", "s.yaml", [RUN, replace(RUN, id="t.m.lora-b", name="b", task="t")], steps=("train", "judge"))


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_manifest_is_what_was_written_and_says_its_version(here: Path) -> None:
    manifest = run_files.Manifest(task="t", model="m", steps={"train": {"seconds": 3.0, "results": {"train_loss": 1}}})
    run_files.write(here / "manifest.json", manifest)
    assert read_json(here / "manifest.json") == {"schema": 1, **manifest}
    assert run_files.read_manifest(here) == {"schema": 1, **manifest}
    assert run_files.read_manifest(here / "elsewhere") == {}


def test_keys_that_are_not_declared_stay(here: Path) -> None:
    write_json(here / "metrics.json", {"task": "t", "mine": {"a": 1}, "heldout": {"rows": 3, "extra": True}})
    assert run_files.read_metrics(here)["mine"] == {"a": 1}  # type: ignore[typeddict-item]
    assert run_files.read_metrics(here)["heldout"] == {"rows": 3, "extra": True}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"split": "te', "heldout.json is not JSON: "),
        ("[]", "all of it: Input should be a valid dictionary"),
        ('{"base": {"loss": 1.5}, "rows": "many"}', "rows: .*; base.perplexity: Field required"),
        ('{"schema": 2}', "written by a newer Whetstone"),
    ],
)
def test_a_broken_file_is_named_with_all_that_is_wrong(here: Path, text: str, said: str) -> None:
    write_text(here / "heldout.json", text)
    with pytest.raises(UserError, match=said) as error:
        run_files.read_heldout(here)
    assert str(here / "heldout.json") in error.value.message
    assert error.value.hint


def test_a_sweep_is_read_as_it_was_saved() -> None:
    PLAN.save()
    for name in ("ranks", "runs/sweeps/ranks/", "recipes/sweeps/ranks.yaml"):
        assert run_files.read_sweep(name) == PLAN
    assert PLAN.runs[0].base_task == PLAN.runs[0].asked_task == "t"
    assert PLAN.tasks == ["t"]
    assert PLAN.command(RUN)[1:] == ["-m", "recipes", "sweep", "--sweep", "ranks", "--only", "t.m.lora-a"]
    with pytest.raises(UserError, match="no run 'c'") as error:
        PLAN.run("c")
    assert "its runs: a, b" in error.value.hint


def test_a_sweep_that_is_not_there_or_of_a_newer_version() -> None:
    with pytest.raises(UserError, match="no sweep 'rank'") as error:
        run_files.read_sweep("rank")
    assert "none has been started" in error.value.hint
    write_json(PLAN.folder / "sweep.json", {**asdict(PLAN), "schema": 9})
    with pytest.raises(UserError, match="no sweep 'rank'") as error:
        run_files.read_sweep("rank")
    assert "did you mean ranks?" in error.value.hint
    with pytest.raises(UserError, match="newer Whetstone"):
        run_files.read_sweep("ranks")


def test_a_sweep_that_lacks_what_it_needs_is_named() -> None:
    write_json(PLAN.folder / "sweep.json", {"name": "ranks", "file": "s.yaml", "runs": [{"id": "x"}]})
    with pytest.raises(UserError, match=r"runs\.0\.name: Field required.*runs\.0\.model"):
        run_files.read_sweep("ranks")


def test_a_state_that_cannot_be_read_is_begun_anew() -> None:
    assert run_files.read_state(PLAN, RUN) == State()
    state = State("done", seconds={"train": 2.5}, key="k")
    run_files.write_state(PLAN, RUN, state)
    assert run_files.read_state(PLAN, RUN) == state
    write_text(PLAN.state_file(RUN), '{"state": "do')
    assert run_files.read_state(PLAN, RUN) == State()


def test_the_newest_facts_of_a_log_that_was_cut_off(here: Path) -> None:
    log = here / "adapter" / "trainer_log.jsonl"
    write_text(log, '{"current_steps": 1, "loss": 2.0}\n{"curr\n{"current_steps": 2, "eval_loss": 1.5}\n{"current_st')
    assert run_files.training(here) == {"current_steps": 2, "loss": 2.0, "eval_loss": 1.5}
    first = log.read_bytes().index(b"\n") + 1
    assert [row["current_steps"] for row in run_files.read_log(here / "adapter", first)] == [2]
    assert run_files.training(here / "elsewhere") == {}
