"""Repairs text: broken encodings, HTML left-overs, invisible characters, white space. Pure functions.

Markup that is part of the matter stays: code, and tags that are none of HTML's formatting ones (DISC-Law-SFT's <eoa>).
"""

import html
import re
import unicodedata
from collections.abc import Callable

# UTF-8 read as Latin-1 or Windows-1252 always leaves one of these behind; most texts have none, and skip the slow part.
MOJIBAKE = re.compile("[\u0080-\u009f\u00c2-\u00f4]")
# None of these needs repair; nearly all texts hold nothing else, and one pass over them is enough.
ODD = re.compile("[^\n -~\u2010-\u2027\u3001-\u3098\u309b-\u33ff\u3400-\u4dbf\u4e00-\u9fff\uff01-\uff5e]")
MOST_TIMES = 5
LONGEST_UNIT = 3
"""Letters of a unit or a variable (km, cm, mol): a number raised behind a longer word is a footnote's."""
ESCAPED_LINE = re.compile(r"(?<!\\)(?:\\r)?\\n(?![a-z\"'`])")
INVISIBLE = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\u00ad\u200b\u200e\u200f\u202a-\u202e\u2060\u2066-\u2069\ufeff\ufff9-\ufffb]"
)
SURROGATE = re.compile("[\ud800-\udfff]")
ODD_SPACE = re.compile("[\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000\t]")
LINE_END = re.compile("\r\n?|[\u2028\u2029\u0085]")
TRAILING = re.compile(r" +(?=\n|$)")
INNER_SPACES = re.compile(r"(?<=\S) {2,}")
EMPTY_LINES = re.compile(r"\n{3,}")
ENTITY = re.compile(r"&(?:[a-zA-Z][a-zA-Z0-9]{1,30}|#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6});")
ATTRIBUTES = r"(?:\s+[a-zA-Z-]+\s*=\s*(?:\"[^\"<>]*\"|'[^'<>]*'|[^\s<>\"']+))*\s*/?"
BLOCK = "p|div|li|tr|h[1-6]|table|ul|ol|blockquote"
TAG_BREAK = re.compile(
    rf"<\s*br\s*/?\s*>|<\s*/(?:p|div|li|tr|h[1-6])\s*>|(?<=[^\s>])<(?:{BLOCK}){ATTRIBUTES}>", re.IGNORECASE
)
ROW = re.compile(rf"(<tr{ATTRIBUTES}>\s*)<t[dh]{ATTRIBUTES}>", re.IGNORECASE)
CELL = re.compile(rf"(?<=[^\s])\s*(?:</t[dh]>\s*)?<t[dh]{ATTRIBUTES}>\s*", re.IGNORECASE)
RAISED = re.compile(rf"(^|.)<sup{ATTRIBUTES}>([^<>]*)</sup>", re.IGNORECASE | re.DOTALL)
LOWERED = re.compile(rf"<sub{ATTRIBUTES}>([^<>]*)</sub>", re.IGNORECASE)
FOOTNOTE = re.compile(r"\s*\[?\d{1,3}(?:\s*[,–-]\s*\d{1,3})*\]?\s*")
HAN_UNITS = "米里"
"""What Chinese units of length end in: a number raised behind another character is a footnote's."""
POWER = re.compile(r"[-−+]?\d+|[a-zA-Z]")
TAG_FORMAT = re.compile(
    rf"</?(?:{BLOCK}|span|b|i|u|em|strong|font|a|sup|sub|tbody|thead|td|th|center){ATTRIBUTES}>", re.IGNORECASE
)
CODE = re.compile(r"```|<!DOCTYPE|<html|<head|<body|<script|<style|<\?php|</?code|#include|\bdef \w+\(|;\s*\n", re.I)


def repair_encoding(text: str) -> str:
    """Undo UTF-8 that was read as something else, remove what cannot be seen, and compose accents (NFC)."""
    text = SURROGATE.sub("\ufffd", text)
    if MOJIBAKE.search(text):
        import ftfy

        # Only encodings: HTML is ours, and curly quotes, ligatures and full-width forms are no mistakes.
        text = ftfy.fix_text(
            text, unescape_html=False, uncurl_quotes=False, fix_latin_ligatures=False, fix_character_width=False,
            normalization=None, explain=False,
        )  # fmt: skip
    text = INVISIBLE.sub("", text)
    return text if unicodedata.is_normalized("NFC", text) else unicodedata.normalize("NFC", text)


def plain_space(text: str) -> str:
    """Return text with plain spaces and line ends: no runs of spaces inside a line, at most one empty line."""
    return _tidy(ODD_SPACE.sub(" ", LINE_END.sub("\n", text)))


def _tidy(text: str) -> str:
    if "  " in text or " \n" in text:
        text = INNER_SPACES.sub(" ", TRAILING.sub("", text))
    return (EMPTY_LINES.sub("\n\n", text) if "\n\n\n" in text else text).strip()


def undo_html(text: str) -> str:
    """Turn entities into their characters and formatting tags into what they show; leave code alone."""
    if ("<" not in text and "&" not in text) or CODE.search(text):
        return text
    for _ in range(MOST_TIMES):  # `&amp;nbsp;` was escaped twice
        before, text = text, ENTITY.sub(lambda found: html.unescape(found[0]), text)
        if text == before:
            break
    if "<" in text:
        text = LOWERED.sub(lambda found: found[1] if found[1].strip().isdigit() else f"_{found[1]}", text)
        if "sup" in text or "SUP" in text:
            text = RAISED.sub(_raised, text)
        text = TAG_FORMAT.sub("", TAG_BREAK.sub("\n", CELL.sub(" | ", ROW.sub(r"\1", text))))
    return text


def _raised(found: re.Match[str]) -> str:
    """Return a superscript as text: 10^6, m^2, 4th, Na+; a footnote's number goes."""
    before, inside = found[1], found[2]
    word = re.search(r"[^\W\d_]*$", found.string[: found.start(2)].rsplit("<", 1)[0])
    of_a_unit = before in HAN_UNITS if "\u4e00" <= before <= "\u9fff" else len(word[0] if word else "") <= LONGEST_UNIT
    if FOOTNOTE.fullmatch(inside) and before and (before in '.,;:!?)”"。，；：！？' or "[" in inside or not of_a_unit):
        return before
    if POWER.fullmatch(inside.strip()) and before.strip() and before.isalnum() | (before in ")]"):
        return f"{before}^{inside.strip()}"
    return before + inside


def undo_escapes(text: str) -> str:
    """Turn a line end that was written as backslash and n into one; leave code and formulas (\\nu) alone."""
    return text if "\\n" not in text or CODE.search(text) else ESCAPED_LINE.sub("\n", text)


def cleaner(clean: bool, markup: bool) -> Callable[[str], str]:
    """Return the clean-up that these settings ask for."""

    def both(text: str) -> str:
        if markup:
            text = undo_html(text)
        return _repaired(undo_escapes(text)) if clean else text

    return both


def _repaired(text: str) -> str:
    """Repair until nothing changes: next to other white space a text may read as another broken encoding."""
    if not ODD.search(text):
        return _tidy(text)
    for _ in range(MOST_TIMES):
        before, text = text, plain_space(repair_encoding(text))
        if text == before or not MOJIBAKE.search(text):
            break
    return text
