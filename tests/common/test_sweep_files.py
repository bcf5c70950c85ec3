"""The files of a sweep: read as they are declared, and a broken one is named."""

from dataclasses import asdict, replace
from pathlib import Path

import pytest

from common import sweep_files
from common.errors import UserError
from common.files import write_json, write_text
from common.sweep_files import Plan, Run, State

RUN = Run(
    id="t.m.lora-a", name="a", contestant="a", base="base-m", folder="runs/t/m/lora-a", task="t~raw+scored",
    model="m", method="lora", variant="a", point={"lora_rank": 8}, devices=1,
)  # fmt: skip
PLAN = Plan("ranks", "s.yaml", [RUN, replace(RUN, id="t.m.lora-b", name="b", task="t")], steps=("train", "judge"))


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_a_sweep_is_read_as_it_was_saved() -> None:
    PLAN.save()
    for name in ("ranks", "runs/sweeps/ranks/", "recipes/sweeps/ranks.yaml"):
        assert sweep_files.read_sweep(name) == PLAN
    assert PLAN.runs[0].base_task == PLAN.runs[0].asked_task == "t"
    assert PLAN.tasks == ["t"]
    assert PLAN.command(RUN)[1:] == ["-m", "recipes", "sweep", "--sweep", "ranks", "--only", "t.m.lora-a"]
    with pytest.raises(UserError, match="no run 'c'") as error:
        PLAN.run("c")
    assert "its runs: a, b" in error.value.hint


def test_a_sweep_that_is_not_there_or_of_a_newer_version() -> None:
    with pytest.raises(UserError, match="no sweep 'rank'") as error:
        sweep_files.read_sweep("rank")
    assert "none has been started" in error.value.hint
    write_json(PLAN.folder / "sweep.json", {**asdict(PLAN), "schema": 9})
    with pytest.raises(UserError, match="no sweep 'rank'") as error:
        sweep_files.read_sweep("rank")
    assert "did you mean ranks?" in error.value.hint
    with pytest.raises(UserError, match="newer Whetstone"):
        sweep_files.read_sweep("ranks")


def test_a_sweep_that_lacks_what_it_needs_is_named() -> None:
    write_json(PLAN.folder / "sweep.json", {"name": "ranks", "file": "s.yaml", "runs": [{"id": "x"}]})
    with pytest.raises(UserError, match=r"runs\.0\.name: Field required.*runs\.0\.model"):
        sweep_files.read_sweep("ranks")


def test_a_state_that_cannot_be_read_is_begun_anew() -> None:
    assert sweep_files.read_state(PLAN, RUN) == State()
    state = State("done", seconds={"train": 2.5}, key="k")
    sweep_files.write_state(PLAN, RUN, state)
    assert sweep_files.read_state(PLAN, RUN) == state
    write_text(PLAN.state_file(RUN), '{"state": "do')
    assert sweep_files.read_state(PLAN, RUN) == State()
