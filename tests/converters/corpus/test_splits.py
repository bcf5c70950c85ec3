"""Which rows train, validate and test, and that they stay where they are."""

from pathlib import Path

import numpy

from converters.convert import convert
from converters.corpus.splits import TEST, TRAIN, VAL, assign
from converters.registry import load_task
from converters.settings import Settings
from tests.converters.prose import prose


def test_splits_do_not_move_when_rows_are_added(read_rows):
    row = '{{"question": "{0}这个病怎么治，需要住院吗？", "answer": "{0}一般不需要住院，遵医嘱即可。"}}\n'
    names = [prose(i, 4) for i in range(400)]

    def where(count, task="medical_zh"):
        Path("format_data.jsonl").write_text("".join(row.format(name) for name in names[:count]))
        convert(load_task(task), "format_data.jsonl", given={"language": False, "near": 0, "decontaminate": False})
        return {
            one["instruction"]: split
            for split in ("train", "val", "test")
            for one in read_rows(f"data/{task}/{split}.jsonl")
        }

    few, many = where(250), where(400)
    assert len(few) == 250
    assert all(many[asked] == split for asked, split in few.items())
    assert 15 <= sum(split == "test" for split in few.values()) <= 48


def test_growing_past_a_step_only_frees_test_rows():
    place = numpy.random.default_rng(0).integers(0, 2**64, 5_000, numpy.uint64)
    small, large = (assign(place[:count], numpy.full(count, -1), Settings()) for count in (900, 5_000))
    assert set(zip(small.tolist(), large[:900].tolist(), strict=True)) <= {
        (TRAIN, TRAIN), (TEST, TEST), (VAL, VAL), (TEST, TRAIN), (VAL, TRAIN),
    }  # fmt: skip
    assert abs((small == TEST).mean() - 0.12) < 0.03


def test_a_small_set_has_something_to_test_on_and_shares_can_be_set():
    place = numpy.random.default_rng(1).integers(2**62, 2**63, 5, numpy.uint64)
    split = assign(place, numpy.full(5, -1), Settings())
    assert sorted(split.tolist()) == [TRAIN, TRAIN, TRAIN, VAL, TEST]
    assert (assign(place, numpy.full(5, -1), Settings(test=0.0, val=0.0)) == TRAIN).all()
