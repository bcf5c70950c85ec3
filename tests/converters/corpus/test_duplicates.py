"""Repeats and near repeats among sketches."""

import numpy

from converters.corpus import duplicates
from converters.text.sketch import band_hashes, fold, grams, signatures
from tests.converters.prose import WORDS, changed, prose


def near(questions, answers, threshold=0.85):
    asked = signatures(grams(*fold(questions), 8))
    whole = numpy.minimum(asked, signatures(grams(*fold(answers), 8)))
    bands = band_hashes(whole)
    return duplicates.near(bands, whole.astype(numpy.uint8), asked.astype(numpy.uint8), threshold).tolist()


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
    origin = near(questions, answers)
    assert origin[300] == 5
    assert origin[:300] == [-1] * 300
    assert origin[301] == -1


def test_the_same_answer_to_another_question_is_kept():
    answer = prose(1, 100)
    assert near(["is gout inherited", "is measles caught by touch"], [answer, answer]) == [-1, -1]


def test_a_chain_of_small_changes_is_not_followed_to_its_end():
    """Only rows that are kept make others go: each third link is far enough from the first."""
    chain = [prose(1, 100)]
    for step in range(6):
        parts = chain[-1].split()
        parts[step * 15 : step * 15 + 6] = WORDS[-6 - step * 6 : -step * 6 or None]
        chain.append(" ".join(parts))
    origin = near(["same question here"] * 7, chain)
    assert origin[0] == -1
    assert all(origin[cause] == -1 for cause in origin if cause >= 0)
    assert sum(cause < 0 for cause in origin) >= 2
