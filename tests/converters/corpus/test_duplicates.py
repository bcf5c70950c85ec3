"""Repeats and near repeats among sketches: on pairs labelled by hand, what is dropped is a repeat, and repeats are."""

import itertools
from pathlib import Path

import numpy
import pytest
import yaml

from converters.corpus import duplicates
from converters.read.files import Chunk
from converters.rows.stage_row import process
from converters.settings import Settings
from converters.task import File, Record, Task
from tests.converters.prose import WORDS, changed, prose

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


def near(rows, threshold=0.85):
    """Return for each row (what it asks, what it answers) the earlier one that it nearly repeats, or -1."""
    language = "en" if "".join(rows[0]).isascii() else "zh"
    raw = [dict(zip(("asked", "told"), row, strict=True)) for row in rows]
    staged = process(Chunk(0, 1, raw), FILE, task(language), Settings(near=threshold), {})
    assert len(staged.lines) == len(rows)
    return duplicates.near_repeats(staged.arrays, numpy.arange(len(rows)), threshold, rows.__getitem__).tolist()


def is_repeat(first, second):
    return near([(row["asked"], row["told"]) for row in (first, second)]) == [-1, 0]


@pytest.mark.slow
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
    assert near([first, second]) == ([-1, 0] if wanted else [-1, -1])


def test_exact_repeats_point_to_the_first():
    assert duplicates.repeated(numpy.array([7, 8, 7, 7, 9, 8], numpy.uint64)).tolist() == [-1, -1, 0, 0, -1, 1]
    assert duplicates.beyond(numpy.array([7, 8, 7, 7, 9, 8], numpy.uint64), 2).tolist() == [
        False, False, False, True, False, False,
    ]  # fmt: skip


def test_near_duplicates_are_found_and_others_are_not():
    texts = [prose(seed) for seed in range(300)]
    answers = [*texts, changed(texts[5], 2), changed(texts[9], 20)]
    questions = [f"what about {WORDS[i]} and {WORDS[i + 1]}" for i in range(300)]
    questions += [questions[5], questions[9]]
    origin = near(list(zip(questions, answers, strict=True)))
    assert origin[300] == 5
    assert origin[:300] == [-1] * 300
    assert origin[301] == -1


def test_the_same_answer_to_another_question_is_kept():
    answer = prose(1, 100)
    assert near([("is gout inherited", answer), ("is measles caught by touch", answer)]) == [-1, -1]


def test_a_chain_of_small_changes_is_not_followed_to_its_end():
    """Only rows that are kept make others go: each third link is far enough from the first."""
    chain = [prose(1, 100)]
    for step in range(6):
        parts = chain[-1].split()
        parts[step * 15 : step * 15 + 6] = WORDS[-6 - step * 6 : -step * 6 or None]
        chain.append(" ".join(parts))
    origin = near([("same question here", answer) for answer in chain])
    assert origin[0] == -1
    assert all(origin[cause] == -1 for cause in origin if cause >= 0)
    assert sum(cause < 0 for cause in origin) >= 2
