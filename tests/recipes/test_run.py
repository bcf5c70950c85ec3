"""Training and exporting: what is refused, what a crash leaves usable."""

from dataclasses import replace
from pathlib import Path

import pytest

from common.errors import UserError
from recipes import run
from recipes.manifest import is_done, write_run


def test_exporting_what_was_not_trained_is_refused(recipe):
    write_run(recipe)
    with pytest.raises(UserError, match="has not been trained yet"):
        run.export(recipe)


def test_a_machine_that_is_not_the_first_leaves_the_result_to_that_one(recipe, monkeypatch, capsys):
    started = {}
    monkeypatch.setattr(run, "llamafactory", lambda *words: started.update(words[-1]) or 1.0)
    monkeypatch.setattr(run, "ensure_prepared", lambda *_: None)
    for name, value in (("NODE_RANK", "1"), ("MASTER_ADDR", "10.0.0.1"), ("MASTER_PORT", "")):
        monkeypatch.setenv(name, value)
    two = replace(recipe, hardware=recipe.hardware.model_copy(update={"nodes": 2}))
    run.train(two)
    assert "this machine has done its part" in capsys.readouterr().out
    assert (started["NNODES"], started["NODE_RANK"], started["MASTER_PORT"]) == ("2", "1", "29500")
    assert not is_done(Path(two.folder), "train")


def test_a_checkpoint_that_was_half_written_is_not_resumed_from(tmp_path):
    for name, state in (("checkpoint-10", '{"global_step": 10}'), ("checkpoint-20", '{"glo'), ("checkpoint-30", None)):
        (tmp_path / name).mkdir()
        if state is not None:
            (tmp_path / name / "trainer_state.json").write_text(state)
    assert run._resume_point(tmp_path) == 10
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint-10"]
