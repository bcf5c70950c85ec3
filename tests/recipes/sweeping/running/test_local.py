"""Cards are given out and taken back."""

import pytest

from common.errors import UserError
from recipes.sweeping.running import local
from tests.recipes.sweeping.samples import run_of


def test_the_first_run_that_fits_gets_the_lowest_cards():
    big, small, other = run_of(1, 2), run_of(2, 1), run_of(3, 2)
    waiting, free = [big, other, small], ["0", "1", "2"]
    assert local.take(waiting, free) == (big, ["0", "1"])
    assert local.take(waiting, free) == (small, ["2"])
    assert local.take(waiting, free) is None
    free += ["1", "0"]
    assert local.take(waiting, free) == (other, ["0", "1"])
    assert (waiting, free) == ([], [])


def test_places_are_the_visible_cards_or_so_many_at_a_time_on_a_cpu(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3,5")
    assert local.places([run_of(1, 2)], 0) == ["3", "5"]
    assert local.places([run_of(1)], 3) == ["0", "1", "2"]
    with pytest.raises(UserError, match="r1 need more cards than the 2 of this machine"):
        local.places([run_of(1, 4), run_of(2, 1)], 0)
    assert local.environment(run_of(1, 2), ["3", "5"], 2) == {"CUDA_VISIBLE_DEVICES": "3,5"}
