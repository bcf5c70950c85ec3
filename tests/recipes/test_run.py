"""Training and exporting: what is refused, what a crash leaves usable."""

import pytest

from common.errors import UserError
from recipes import run
from recipes.manifest import write_run


def test_exporting_what_was_not_trained_is_refused(recipe):
    write_run(recipe)
    with pytest.raises(UserError, match="has not been trained yet"):
        run.export(recipe)


def test_a_checkpoint_that_was_half_written_is_not_resumed_from(tmp_path):
    for name, state in (("checkpoint-10", '{"global_step": 10}'), ("checkpoint-20", '{"glo'), ("checkpoint-30", None)):
        (tmp_path / name).mkdir()
        if state is not None:
            (tmp_path / name / "trainer_state.json").write_text(state)
    assert run._resume_point(tmp_path) == 10
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint-10"]
