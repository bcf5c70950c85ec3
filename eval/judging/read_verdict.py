"""Read a judge's verdict from the end of what it wrote: only what is beyond doubt, never a guess.

The last line with words in it must be one of the three labels, alone or behind an introduction from a closed list
("So my verdict is:", "因此，"). A line above that leads up to it ("Accuracy:") must be such an introduction too, and
every verdict next to it must say the same. Anything else is no verdict (None): the caller asks once more, then counts.
"""

import json
import re
import unicodedata
from pathlib import Path
from typing import Any

from common.llm.reply import BROKEN_OFF, CUT_OFF, FILTERED
from common.yaml_files import patterns
from eval.judging.labels import CONTROL, FENCE, HIDDEN, LABEL, LABELS, fold, verdict_of
from eval.records.judgments import Verdict

_QUOTES = "\"'“”‘’「」『』«»"
_END = re.compile(r"[\s.。!！,，;；]+$")
_SENTENCE_ENDS = re.compile(r"(?<=\w)[.!?] +(?=\w)|[。！？](?=\w)")
_VARIANT = "\ufe0e\ufe0f"  # whether a sign is drawn as text or as an emoji
_MEANT = "¬"  # a sign that is no markup


_IS = patterns(Path(__file__).with_name("replies.yaml"), re.IGNORECASE | re.MULTILINE)


def read_verdict(text: str, finish_reason: str = "stop") -> Verdict | None:
    """Return the verdict that a judge's reply ends with, or None when it has none that is beyond doubt."""
    said = None if finish_reason.lower() in (*CUT_OFF, *FILTERED, *BROKEN_OFF) else _reply(text)
    if said is None:
        return None
    found, verdict = _json(said)
    return verdict if found else _of_lines(_lines(said))


def _reply(text: str) -> str | None:
    """Return what is said, after the thinking and up to the end of the turn; None when either has no end."""
    ends = [match.end() for match in _IS["thought"].finditer(text)]
    begins = [match.start() for match in _IS["thinks"].finditer(text)]
    said = text[ends[-1] :] if ends else text
    if begins and (not ends or begins[-1] > ends[-1]):
        return None
    said = _IS["turn_begins"].sub("", said)
    said, *after = _IS["turn_ends"].split(said)
    return None if any(re.search(r"\w", CONTROL.sub("", rest.lower())) for rest in after) else said


def _json(said: str) -> tuple[bool, Verdict | None]:
    """Tell whether a reply is one JSON object, and return its verdict."""

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        return dict(pairs) if len(pairs) == len({name for name, _ in pairs}) else {}

    bare = re.sub(r"\A```(?:json\b)?(.*)```\Z", r"\1", said.strip(), flags=re.IGNORECASE | re.DOTALL)
    try:
        value = json.loads(bare, object_pairs_hook=once)
    except (ValueError, RecursionError):  # a reply may be one long row of brackets
        return False, None
    if not isinstance(value, dict):
        return False, None
    label = value.get("verdict")
    written = (verdict for verdict, words in LABELS.items() if words == label and words in said)  # not \u0041ssistant
    return True, next(written, None)


class _Line:
    """One line: its words without markup, and how it stands in the text."""

    def __init__(self, raw: str, box: str = "", *, code: bool = False) -> None:
        self.box = box
        raw = _IS["tags"].sub(" ", raw)
        bare = _IS["bullet"].sub("", raw)
        self.listed = bare != raw or raw.lstrip().startswith("|")
        self.ends = bool(_IS["ends"].search(raw))
        bold = re.match(r"\s*(\*\*|__).+\1\W*$", raw) and not self.ends
        self.heading = bool(bold or re.match(r"\s*#{1,6}\s", raw))
        self.quoted = code or bool(re.match(rf"\W*[{_QUOTES}]", bare))
        # A judge disguises nothing: what is disguised was copied. Wide letters are no disguise.
        plain = "".join(unicodedata.normalize("NFKC", c) if "！" <= c <= "～" else c for c in bare).lower()
        self.disguised = bool(HIDDEN.search(bare)) or len(LABEL.findall(fold(bare))) != len(LABEL.findall(plain))
        words = CONTROL.sub(" ", fold(bare))
        self.text = " ".join(re.sub(rf"[^\w\s.,;:!?，。；！？…、/%{_MEANT}]+|_+", " ", words).split())
        self.leads_on = self.heading or bool(_IS["leads_on"].search(raw) or _IS["points_ahead"].search(self.text))

    @property
    def verdict(self) -> Verdict | None:
        """Return what the line says when it is nothing but a label behind an introduction."""
        text = _END.sub("", self.text)
        labels = list(LABEL.finditer(text))
        if not labels or self.disguised or self.box in ("empty", "unclear"):
            return None
        verdicts = {verdict_of(label) for label in labels}
        between = re.sub(LABEL, " ", text[labels[0].start() :])
        if len(verdicts) > 1 or re.search(r"\w|[?？]", between) or not self.leads(text[: labels[0].start()]):
            return None
        return verdicts.pop()

    @property
    def introduction(self) -> str:
        """Return what stands before the first label."""
        label = LABEL.search(self.text)
        return self.text[: label.start()] if label else self.text

    @staticmethod
    def leads(text: str) -> bool:
        """Tell whether words may stand before a label."""
        named = len(re.findall(r"helpfulness|relevance|accuracy|detail", text))  # one or two of four are no verdict
        return bool(_IS["introduction"].fullmatch(text.strip().rstrip(",，"))) and named not in (1, 2)


def _lines(said: str) -> list[_Line]:
    """Return the lines that have words in them; of several boxes on a line each is a line of its own."""
    lines: list[_Line] = []
    blank = code = False
    for raw in _IS["struck"].sub(" ", said.translate(dict.fromkeys(map(ord, _VARIANT)))).splitlines():
        if raw.lstrip().startswith(("```", "~~~")):
            code = not code
            continue
        if not re.search(r"\w", fold(_IS["tags"].sub(" ", raw))):
            if lines and not blank and re.fullmatch(r"\s*(?:=+|-{3,})\s*", raw):  # underlined: a heading
                lines[-1].leads_on |= not (lines[-1].ends or lines[-1].listed)
            blank = True
            continue
        if raw.lstrip().startswith(">") or FENCE.search(fold(raw)):  # someone else's words
            lines.append(_Line("quoted words."))
            continue
        lines += [_Line(part, box, code=code) for part, box in _boxes(raw)]
        blank = False
    return lines


def _boxes(raw: str) -> list[tuple[str, str]]:
    """Return a line with the kind of its box ("" without one), or its parts where each label has a box before it."""
    boxes = list(_IS["box"].finditer(raw)) if LABEL.search(fold(raw)) else []
    kinds = [str(box.lastgroup) for box in boxes]
    if len(boxes) < 2:
        return [(_IS["box"].sub(" ", raw), "".join(kinds))]
    parts = [raw[box.end() : end] for box, end in zip(boxes, [*(b.start() for b in boxes[1:]), len(raw)], strict=True)]
    if re.search(r"\w", raw[: boxes[0].start()]) or not all(LABEL.search(fold(part)) for part in parts):
        return [(raw, "unclear")]
    return list(zip(parts, kinds, strict=True))


def _of_lines(lines: list[_Line]) -> Verdict | None:
    """Return the verdict of the last lines when they all say the same."""
    while lines and lines[-1].box == "empty":  # a choice that was not taken
        lines = lines[:-1]
    verdict = lines[-1].verdict if lines else None
    if verdict is None:
        return None
    standing = [line for line in lines if line.box != "empty"]
    before = ["", *(line.text if line.leads_on else "" for line in standing)]
    named = [
        line for line, lead in zip(standing, before, strict=False) if _IS["named"].search(f"{lead} {line.introduction}")
    ]
    if {line.verdict for line in named if line.verdict} - {verdict}:  # the verdict by name, somewhere above, is another
        return None
    for number in range(len(standing) - 1, 0, -1):
        line, above = standing[number], standing[number - 1]
        said = above.verdict
        if said is None:
            return verdict if _may_precede(above, line) else None
        if said != verdict:
            return None
    return verdict


def _may_precede(before: _Line, line: _Line) -> bool:
    """Tell whether a line can stand above a label without changing what it means."""
    if (LABEL.search(before.text) and before.box == "unclear") or _IS["declines"].search(before.text):
        return False
    unfinished = (
        not (before.ends or before.listed or _IS["by_point"].match(before.text)) and not line.introduction.strip()
    )
    leads_on = before.leads_on or unfinished or (line.quoted and not before.ends)
    last_sentence = _SENTENCE_ENDS.split(re.sub(r"^(?:step )?\d{1,2}[.):]? ", "", before.text))[-1]
    return not leads_on or before.leads(last_sentence)
