"""The benchmark's arithmetic, and what it calls plain."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from recipes.llamafactory.keys import check_settings
from tests.bench import training as bench
from tests.bench.training import PLAIN, Measured, _row, held_out, seconds_to, steps_of, table, variants
from tests.recipes.samples import recipe

MEASURED = Measured(steps=40, seconds=100.0, cpu_seconds=200.0, tokens=20_000, peak_gib=3.0)


@pytest.mark.parametrize(
    ("loss", "seconds"),
    [(2.5, 0.0), (2.3, 5.0), (2.2, 10.0), (2.1, 20.0), (2.0, 30.0), (1.9, None)],
)
def test_the_time_to_a_loss_is_read_off_the_curve(loss: float, seconds: float | None) -> None:
    curve = [(10.0, 2.2), (30.0, 2.0)]
    assert seconds_to(curve, loss, start=2.4) == (pytest.approx(seconds) if seconds is not None else None)


def test_a_curve_that_rises_first_is_followed_to_where_it_falls() -> None:
    assert seconds_to([(10.0, 2.6), (20.0, 2.0)], 2.3, start=2.4) == pytest.approx(15.0)


def test_padding_is_what_was_computed_and_is_no_row() -> None:
    row = _row(MEASURED, 19_000)
    assert row["padding"] == pytest.approx(0.05)
    assert row["tokens_a_second"] == pytest.approx(190)


def test_both_train_the_same_rows_as_often() -> None:
    both = variants(recipe(), epochs=1.0, points=4)
    ours, plain = both["ours"].settings, both["plain"].settings
    for key in ("dataset", "model_name_or_path", "num_train_epochs", "seed", "finetuning_type", "lora_target"):
        assert ours[key] == plain[key]
    assert plain["output_dir"] != ours["output_dir"]
    assert plain["disable_gradient_checkpointing"] is False
    assert plain["train_sampling_strategy"] == "random"
    assert plain["per_device_train_batch_size"] * plain["gradient_accumulation_steps"] == 8


def test_the_curve_has_about_the_points_that_were_asked_for() -> None:
    ours = variants(recipe(), epochs=1.0, points=4)["ours"]
    assert 4 <= steps_of(ours) / ours.settings["save_steps"] < 6
    assert ours.settings["save_total_limit"] >= 4


def test_the_plain_settings_are_keys_of_llamafactory() -> None:
    assert check_settings(PLAIN) == PLAIN


def test_the_table_says_when_the_loss_was_not_reached() -> None:
    result = {
        "model": "m", "rows": 170, "epochs": 1.0, "machine": "here", "date": "today",
        "plain": _row(MEASURED, 19_000), "ours": _row(replace(MEASURED, seconds=50.0), 19_000),
        "loss": {"base": 2.4, "plain": 2.2, "ours": 2.3}, "faster": None,
        "seconds_to_the_plain_loss": {"plain": 100.0, "ours": None},
    }  # fmt: skip
    assert "| seconds to a held-out loss of 2.200 | 100 | not reached |" in table(result)
    assert "times faster" not in table(result)


def test_each_is_measured_by_its_own_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    asked: list[dict[str, Any]] = []

    def losses(arguments: dict[str, Any], _: object) -> list[tuple[float, int]]:
        asked.append(arguments)
        return [(4.0, 2), (2.0, 1)]

    monkeypatch.setattr(bench, "row_losses", losses)
    both = variants(recipe(), epochs=1.0, points=4)
    assert [held_out(each, None) for each in both.values()] == [2.0, 2.0]
    for arguments, each in zip(asked, both.values(), strict=True):
        assert arguments["cutoff_len"] == each.settings["cutoff_len"]
        assert arguments["eval_dataset"] == "medical_en_test"
    held_out(both["ours"], Path("there"))
    assert asked[-1]["adapter_name_or_path"] == "there"
