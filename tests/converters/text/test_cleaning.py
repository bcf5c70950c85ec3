"""Clean-up: broken encodings, white space and HTML are mended, what only looks like that is left alone."""

import pytest

from converters.text.cleaning import cleaner, mend_encoding, mend_space, undo_html


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("The patientâ€™s knee", "The patient’s knee"),
        ("cafÃ© \u200bnoir\ufeff", "café noir"),
        ("cafe\u0301", "café"),
        ("a\ud83d", "a\ufffd"),
        ("naïve Ångström", "naïve Ångström"),
        ("“quoted” and ﬁne", "“quoted” and ﬁne"),
        ("全角（括号），保留！", "全角（括号），保留！"),
    ],
)
def test_encodings_are_mended_and_typography_is_left_alone(text, wanted):
    assert mend_encoding(text) == wanted


def test_white_space_is_made_plain():
    assert mend_space("a\u3000 b\r\nc   d  \n\n\n\n  e\u00a0f ") == "a b\nc d\n\n  e f"


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("vessels &amp; nerves&nbsp;&lt; 5", "vessels & nerves\xa0< 5"),
        ("one<br/>two <b class='x'>bold</b>", "one\ntwo bold"),
        ("答案<eoa> <问题>： 3 < 4 > 2", "答案<eoa> <问题>： 3 < 4 > 2"),
        ("```html\n<b>x</b> &amp;\n```", "```html\n<b>x</b> &amp;\n```"),
        ("AT&T; R&D and <stdio.h>", "AT&T; R&D and <stdio.h>"),
    ],
)
def test_html_is_undone_and_what_only_looks_like_it_is_not(text, wanted):
    assert undo_html(text) == wanted


def test_what_reads_as_broken_only_after_mending_is_mended_too():
    assert cleaner(clean=True, markup=False)("\xa0Â\x80") == "€"


def test_each_clean_up_can_be_switched_off():
    text = " a &amp;  b "
    assert cleaner(clean=False, markup=False)(text) == text
    assert cleaner(clean=False, markup=True)(text) == " a &  b "
    assert cleaner(clean=True, markup=False)(text) == "a &amp; b"
