"""Hashes, n-grams and signatures of texts."""

import pytest

from converters.text.sketch import digests, fold, grams, signatures
from tests.converters.prose import WORDS, changed, prose


def test_punctuation_case_and_width_do_not_make_another_text():
    first, second, third = digests(*fold(["What is GOUT?", "what is ｇｏｕｔ", "What is goat?"]))
    assert first == second != third


def of(found, number):
    return found.values[found.starts[number] : found.starts[number + 1]]


def test_grams_of_one_text_do_not_depend_on_its_neighbours():
    alone = grams(*fold([prose(1)]), 8)
    among = grams(*fold([prose(0), prose(1), "x", "", prose(2)]), 8)
    assert (alone.values == of(among, 1)).all()
    assert [len(of(among, i)) for i in (2, 3)] == [1, 0]


@pytest.mark.parametrize("size", [4, 8, 16])
def test_equal_windows_hash_equal_and_different_ones_differ(size):
    text = "".join(WORDS[:200])
    found = grams(*fold([text + text]), size).values
    windows = [(text + text)[i : i + size] for i in range(len(text) * 2 - size + 1)]
    assert len(set(found.tolist())) == len(set(windows))
    assert len(found) == len(windows)


def test_minhash_agrees_with_datasketch():
    """Both estimate the same Jaccard similarity; ours from rensa's bytes, datasketch's from whole numbers."""
    from datasketch import MinHash

    for words in (1, 3, 6, 12):
        pair = [prose(words, 120), changed(prose(words, 120), words)]
        found = grams(*fold(pair), 8)
        sets = [set(of(found, i).tolist()) for i in (0, 1)]
        exact = len(sets[0] & sets[1]) / len(sets[0] | sets[1])
        ours = signatures(found)
        estimate = (ours[0] == ours[1]).mean()
        theirs = []
        for values in sets:
            theirs.append(MinHash(num_perm=128, seed=1))
            theirs[-1].update_batch([value.to_bytes(8, "little") for value in values])
        assert estimate == pytest.approx(exact, abs=0.12)
        assert theirs[0].jaccard(theirs[1]) == pytest.approx(exact, abs=0.12)
