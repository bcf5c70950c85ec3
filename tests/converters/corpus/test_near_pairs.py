"""Near duplicates on pairs of rows that were labelled by hand: what is dropped is a repeat, and repeats are dropped."""

import itertools
from pathlib import Path

import numpy
import pytest
import yaml

from converters.corpus.duplicates import near_repeats
from converters.read.files import Chunk
from converters.rows.stage_row import process
from converters.settings import Settings
from converters.task import File, Record, Task

PAIRS = Path(__file__).with_name("near_pairs.yaml")
FILE = File("rows.jsonl", ("asked", "told"))


def task(language):
    def convert(row, _, options):
        return Record(row["asked"], "", row["told"])

    return Task("pairs", "", language, "", (FILE,), convert)


def edited(base, edits):
    row = {key: base[key] for key in ("asked", "told")}
    for edit in edits.split(" ;; "):
        old, new = edit.split(" => ") if " => " in edit else (edit.removesuffix(" =>"), "")
        (key,) = [key for key in ("asked", "told") if old in row[key]][:1] or [None]
        assert key, f"{old!r} is not in the row"
        row[key] = row[key].replace(old, new, 1)
    return row


def labelled():
    """Yield (first row, second row, whether they say the same): each edit beside its row and beside the next edit."""
    for base in yaml.safe_load(PAIRS.read_text()):
        for label in ("same", "other"):
            rows = [edited(base, edits) for edits in base[label]]
            plain = {key: base[key] for key in ("asked", "told")}
            for one, other in [*((plain, row) for row in rows), *itertools.pairwise(rows)]:
                yield one, other, label == "same"


def is_repeat(first, second, near=0.85):
    language = "en" if first["asked"].isascii() else "zh"
    staged = process(Chunk(0, 1, [first, second]), FILE, task(language), Settings(near=near), {})
    assert len(staged.lines) == 2
    rows = [first, second]
    origin = near_repeats(
        staged.arrays, numpy.arange(len(rows)), near, lambda row: (rows[row]["asked"], rows[row]["told"])
    )
    return origin.tolist() == [-1, 0]


def test_precision_and_recall_on_labelled_pairs():
    pairs = list(labelled())
    found = numpy.array([is_repeat(first, second) for first, second, _ in pairs])
    same = numpy.array([label for _, _, label in pairs])
    wrong = [(pairs[number][0], pairs[number][1]) for number in numpy.flatnonzero(found & ~same)]
    missed = [(pairs[number][0], pairs[number][1]) for number in numpy.flatnonzero(~found & same)]
    precision, recall = (found & same).sum() / found.sum(), (found & same).sum() / same.sum()
    told = f"{len(pairs)} pairs, {same.sum()} repeats: precision {precision:.1%}, recall {recall:.1%}"
    print(told, *(f"WRONG {pair}" for pair in wrong), *(f"MISSED {pair}" for pair in missed), sep="\n")
    assert len(pairs) >= 300
    assert precision >= 0.95, told
    assert recall >= 0.90, told


@pytest.mark.parametrize(
    ("first", "second", "wanted"),
    [
        (("What is gout?", "A kind of arthritis."), ("What is gout?", "A kind of fish."), False),
        (("What is gout?", "A kind of arthritis."), ("what is GOUT", "a kind of arthritis"), True),
        (("甲打了乙", "甲负责"), ("乙打了甲", "甲负责"), False),
        (("能不能吃？", "不能。"), ("能吃吗？", "能。"), False),
    ],
)
def test_one_word_decides_in_a_short_text(first, second, wanted):
    rows = [dict(zip(("asked", "told"), row, strict=True)) for row in (first, second)]
    assert is_repeat(*rows) == wanted
