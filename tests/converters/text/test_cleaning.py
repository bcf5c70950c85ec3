"""Clean-up: broken encodings, white space and HTML are repaired, what only looks like that is left alone."""

import pytest

from converters.text.cleaning import cleaner, plain_space, repair_encoding, undo_escapes, undo_html


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
def test_encodings_are_repaired_and_typography_is_left_alone(text, wanted):
    assert repair_encoding(text) == wanted


def test_white_space_is_made_plain():
    assert plain_space("a\u3000 b\r\nc   d  \n\n\n\n  e\u00a0f ") == "a b\nc d\n\n  e f"


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


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("10<sup>6</sup> cells, 10<SUP>-9</SUP> m", "10^6 cells, 10^-9 m"),
        ("4 m<sup>2</sup>, x<sup>n</sup>", "4 m^2, x^n"),
        ("H<sub>2</sub>O and CO<sub>2</sub>, V<sub>max</sub>", "H2O and CO2, V_max"),
        ("Na<sup>+</sup> and Ca<sup>2+</sup>", "Na+ and Ca2+"),
        ("the 4<sup>th</sup> day, Brand<sup>®</sup>", "the 4th day, Brand®"),
        ("<sup>131</sup>I is given", "131I is given"),
        ("in adults.<sup>12</sup> The disease<sup>3,4</sup> is rare", "in adults. The disease is rare"),
        ("第3<sup>2</sup>次", "第3^2次"),
        ("x<sub>i</sub><sup>2</sup>", "x_i^2"),
        ("血压<sup>[1]</sup>升高<sup>1-3</sup>，面积5平方厘米<sup>2</sup>。", "血压升高，面积5平方厘米^2。"),
        ("<table><tr><th>Age</th><th>Dose</th></tr><tr><td>2</td><td>5 mg</td></tr></table>", "Age | Dose\n2 | 5 mg\n"),
        ("<tr><td>a<td>b</tr>", "a | b\n"),
        ("one<p>two<p class=x>three", "one\ntwo\nthree"),
        ("<p>one</p><p>two</p>", "one\ntwo\n"),
        ("x<div>y</div>z", "x\ny\nz"),
    ],
)
def test_what_markup_shows_stays(text, wanted):
    assert undo_html(text) == wanted


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        (r"one\nTwo\n\n3\r\n- four\n", "one\nTwo\n\n3\n- four\n"),
        (r"第一条\n第二条", "第一条\n第二条"),
        (r"$\nu = 3 \neq \nabla$", r"$\nu = 3 \neq \nabla$"),
        (r'print("a\n")', r'print("a\n")'),
        (r"C:\new and \\nX", r"C:\new and \\nX"),
    ],
)
def test_a_line_end_that_was_written_out_is_one(text, wanted):
    assert undo_escapes(text) == wanted


def test_what_reads_as_broken_only_after_repair_is_repaired_too():
    assert cleaner(clean=True, markup=False)("\xa0Â\x80") == "€"


def test_each_clean_up_can_be_switched_off():
    text = " a &amp;  b "
    assert cleaner(clean=False, markup=False)(text) == text
    assert cleaner(clean=False, markup=True)(text) == " a &  b "
    assert cleaner(clean=True, markup=False)(text) == "a &amp; b"


def test_what_was_escaped_twice_is_undone_twice():
    assert undo_html("&amp;lt;br&amp;gt; Use &lt; 5 g&nbsp;salt &amp;nbsp; now, R&amp;D &amp;c.") == (
        "\n Use < 5 g\u00a0salt \u00a0 now, R&D &c."
    )
