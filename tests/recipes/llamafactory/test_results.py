"""What LLaMA-Factory leaves behind, read as it writes it."""

import json

import pytest

from recipes.llamafactory.results import peak_vram, seconds_spent, whole_loss


def test_the_peak_of_memory_is_read_from_llamafactorys_log(tmp_path):
    assert peak_vram(tmp_path) is None
    rows = [{"vram_reserved": 3.5}, {"vram_reserved": 7.25}, {"loss": 1.0}]
    (tmp_path / "trainer_log.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert peak_vram(tmp_path) == 7.25


def test_the_seconds_of_all_tries_are_counted(tmp_path):
    clock = ["0:00:10", "0:01:00", "0:00:05", "0:00:30", "0:00:07", "1 day, 0:00:09"]
    (tmp_path / "trainer_log.jsonl").write_text("".join(json.dumps({"elapsed_time": one}) + "\n" for one in clock))
    assert seconds_spent(tmp_path) == 60 + 30 + 24 * 3600 + 9
    assert seconds_spent(tmp_path / "nothing") == 0


def test_the_loss_is_that_of_all_steps(tmp_path):
    history = [
        {"loss": 9.0, "step": 10},
        {"eval_loss": 1.0, "step": 10},
        {"loss": 7.0, "step": 20},
        {"loss": 4.0, "step": 30},
    ]
    (tmp_path / "trainer_state.json").write_text(json.dumps({"global_step": 33, "log_history": history}))
    # what transformers says of a run resumed at step 20: the sum of the last 13 steps over all 33
    (tmp_path / "all_results.json").write_text(json.dumps({"train_loss": (10 * 4.0 + 3 * 3.0) / 33}))
    assert whole_loss(tmp_path, 20) == pytest.approx((10 * 9 + 10 * 7 + 10 * 4 + 3 * 3) / 33)
    (tmp_path / "all_results.json").write_text(json.dumps({"train_loss": 5.5}))
    assert whole_loss(tmp_path, 0) == 5.5
