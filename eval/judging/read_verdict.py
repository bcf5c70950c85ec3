"""Read a judge's verdict from the end of what it wrote: only what is beyond doubt, never a guess.

The last line with words in it must be one of the three labels, alone or behind an introduction from a closed list
("So my verdict is:", "因此，"). A line above that leads up to it ("Accuracy:") must be such an introduction too, and
every verdict next to it must say the same. Anything else is no verdict (None): the caller asks once more, then counts.
"""

import json
import re
import unicodedata
from typing import Any

from eval.judging.labels import CONTROL, FENCE, HIDDEN, LABEL, LABELS, fold, verdict_of
from eval.records.answers import CUT_OFF, FILTERED
from eval.records.judgments import Verdict

# Where thinking ends: what comes before is not said. Of harmony's channels only the final one is the reply.
_THOUGHT = re.compile(
    r"<\|?/(?:\w+:)?(?:think|thinking|thought|reasoning)\|?>|◁/think▷|\[/think\]|<\|end_(?:of_thought|thinking)\|>|<channel\|>"
    r"|<\|channel\|>\s*final\s*(?:<\|constrain\|>\s*\w+\s*)?<\|message\|>|(?-i:assistant\s?final(?![a-z]))",
    re.IGNORECASE,
)
_THINKS = re.compile(
    r"<\|?(?:\w+:)?(?:think|thinking|thought|reasoning)\|?>|◁think▷|\[think\]|<\|(?:begin_of_thought|start_thinking)\|>|<\|channel>\s*thought"
    r"|<\|channel\|>\s*(?:analysis|commentary)|\A\s*(?-i:analysis(?=[A-Z]))",
    re.IGNORECASE,
)
_TURN_ENDS = re.compile(  # or another's begins
    r"^[^\S\n]*(?:#+ *)?(?:human|user|instruction|用户)\s*[:：]|<\|im_start\|>\s*user|<start_of_turn>\s*user"
    r"|<[|｜]user[|｜]>|<\|start_header_id\|>\s*user|\[inst\]|"
    r"<\|(?:im_end|eot_id|end|endoftext|return|eom_id|end_of_text|end_of_turn|eos)\|>|<end_of_turn>|</s>|<eos>"
    r"|<[|｜]end[▁_]of[▁_]sentence[|｜]>|\[eos\]",
    re.IGNORECASE | re.MULTILINE,
)
_TURN_BEGINS = re.compile(
    r"<\|im_start\|>\s*assistant|<\|start_header_id\|>\s*assistant\s*<\|end_header_id\|>|<\|start\|>\s*assistant"
    r"|<start_of_turn>\s*model|<[|｜]assistant[|｜]>|\[/inst\]",
    re.IGNORECASE,
)
_STRUCK = re.compile(
    r"~{1,2}[^~\n]+~{1,2}|<(s|del|strike)>(?:(?!<\1>).)*?</\1>|(?:.[\u0335-\u0338])+", re.IGNORECASE | re.DOTALL
)
_TAGS = re.compile(
    r"</?(?:answer|final_?answer|final|verdict|final_?verdict|judge?ment|label|result|output|eval|conclusion|decision|analysis|evaluation|b|i|u"
    r"|em|strong|p|br|div|span|center|code|pre|mark|h[1-6])\s*/?>"
    r"|\\(?:boxed|fbox|text|textbf|textit|mathbf|mathrm|mathit|displaystyle|bf|quad)\b",
    re.IGNORECASE,
)

# Boxes: what is ticked is meant, what is empty or crossed out is not. A cross in a box (☒) can be read both ways.
_TICKED = r"\[[xX✓✔√]\]|\([xX✓✔√•●]\)|[☑✅✔✓√🗹🔘◉●]"
_EMPTY = r"\[ ?\]|\( \)|[☐□▢⬜⚪○◯❌✗✘✖✕×🚫⊘👎❎]"
_BOX = re.compile(f"(?P<ticked>{_TICKED})|(?P<empty>{_EMPTY})|(?P<unclear>☒)")
_VARIANT = "\ufe0e\ufe0f"  # whether a sign is drawn as text or as an emoji

_BULLET = re.compile(r"^\s*(?:[-*+•·–—→⇒➤►▶]\s+|\(?(?:\d{1,2}|[a-z])[.)]\s+|\d{1,2}、)+")
_QUOTES = "\"'“”‘’「」『』«»"
_END = re.compile(r"[\s.。!！,，;；]+$")
_ENDS = re.compile(r"(?<!\.)[.!?。！？;；)）\]】]\W*$")  # a sentence
_LEADS_ON = re.compile(r"(?:[:：、…—–]|(?<![\"”])[,，]|\.\.)[^\w.!?。！？]*$")
_POINTS_AHEAD = re.compile(r"\b(?:following|below|next)\b|以下|下列|下面|如下")
# "Accuracy: both are right", a line of a comparison by points, which may stand above a verdict without a full stop.
_BY_POINT = re.compile(
    r"(?:helpfulness|relevance|accuracy|(?:level of )?detail|correctness|completeness|clarity|safety|scores?|confidence"
    r"|(?:assistant|answer|response) [12]|有用性|相关性|准确性|详细程度|(?:助手|回答) ?[12一二]):? *\S",
    re.IGNORECASE,
)
# A sentence that says that there is no verdict, though one stands below it.
_DECLINES = re.compile(
    r"\b(?:cannot|can not|can t|could not|unable to|declines?|refuses?|will not|won t) (?:\w+ ){0,3}?"
    r"(?:judge|decide|compare|choose|rule|verdict|judge?ment|given|reached)\b"
    r"|(?:无法|不能|拒绝|不予|不便)(?:作出|做出|给出|进行|对此|得出)*(?:判断|评判|比较|选择|结论|裁决)"
)
_MEANT = "¬≠"  # signs that are no markup

# The closed list of introductions, on folded text without markup.
_NOUN = (
    r"(?:judge?ment|verdict|conclusion|label|decision|result|evaluation|assessment|choice|rating|ruling|determination"
    r"|summary|line|comparison)"
)
_NOUNS = (
    rf"(?:(?:(?:final|overall|last|correct|appropriate|concluding|my|our|the) )*{_NOUN}(?: (?:{_NOUN}|final))?"
    r"|(?:(?:my|our|the) )?(?:final|correct) (?:answer|output)|my answer|the answer(?= is)|judge s verdict"
    r"|(?:answer|output|final)(?=:|$))"
)
_LINKS = (
    r"(?:and )?(?:therefore|thus|hence|so|overall|finally|consequently|accordingly|ergo|ultimately"
    r"|in (?:conclusion|summary|short|sum|the end)|to (?:conclude|summari[sz]e|sum up)|all in all|all things considered"
    r"|on balance|as a result|taken together"
    r"|for (?:these|the above|the) reasons(?: above| given)?|(?:with )?that said"
    r"|with (?:that|this|all that) in mind"
    r"|in my (?:judge?ment|opinion|view|assessment)"
    r"|after careful (?:consideration|comparison|analysis|review|evaluation))"
)
_MATTER = (
    r"(?:(?:this|these|the|my|all|above|both|two|four|five|of|and|on|in|to|into|for|across|given|answers?|responses?"
    r"|criteria|points?|factors?|aspects|dimensions|comparison|analysis|evaluation|assessment|considerations?|reasons?"
    r"|reasoning|observations?|strengths|weaknesses|everything|account|together|helpfulness|relevance|accuracy|level"
    r"|detail|foregoing|mentioned|listed|stated)\b,? ?)+?"
)
_BASIS = (
    r"(?:based (?:up)?on|given|considering|in light of|in view of|taking|weighing|after (?:weighing|comparing"
    r"|considering|evaluating|analy[sz]ing|reviewing)|judging by) " + _MATTER
)
_SAYS = (
    r"(?:(?:i|we) (?:d |ll |must |can |will |would |now |therefore |thus |hence )?"
    r"(?:conclude|find|judge|determine|decide|rule|believe|think|hold|say)(?: that)?"
    r"|it (?:follows|(?:is|can be) (?:clear|evident|concluded|judged|determined)) that"
    r"|(?:this|which) leads (?:me )?to (?:conclude|the conclusion) that"
    rf"|(?:(?:here|this|below) is )?{_NOUNS}(?: (?:is|would be|remains))?(?: (?:therefore|thus|as follows|that))*)"
)
_ENGLISH = rf"(?:{_LINKS},? ?)*(?:{_BASIS},? ?)?(?:{_LINKS},? ?)*(?:{_SAYS})? ?:? ?"
_LINKS_ZH = (
    r"(?:因此|所以|综上所述|综上|综合来看|综合考虑|综合比较|总之|总的来说|总体来说|总体而言|总体来看|总体上|整体而言|整体来看"
    r"|最终|最后|故|由此可见|由此|可见|据此|基于此|鉴于此|比较之下|相比之下|经过?(?:综合)?比较|总结来说|总结|简而言之)"
)
_BASIS_ZH = (
    r"(?:基于|根据|鉴于|结合|综合|从)(?:以上|上述|这些|所有|全部|各|四个|四项|各项|四方面|几个|的|对|两个|两者|回答|分析|比较|对比|考量|因素|方面|标准|维度"
    r"|理由|几点|各点|评估|评价|考虑)+(?:来看|可知|可得|可以得出)?"
)
_SAYS_ZH = (
    r"(?:(?:我|我们|本人)(?:最终|最后|综合)?(?:认为|判断|判定|裁定|选择|得出结论)|(?:可以|应|应当)?(?:判断|判定|得出结论|认为)|答|输出"
    r"|(?:我的|我们的|本次|以下是|以下为)?(?:最终|最后|总体|综合|整体|正式|的)*(?:判断|判定|结论|结果|评价|总评|评判|标签|裁决|评估|评审|评定|判决|选择|答案|一行)"
    r"(?:结果|结论|标签|意见)?(?:应该是|应为|就是|是|为|如下)?)"
)
_CHINESE = rf"(?:{_LINKS_ZH}[,，]? ?)*(?:{_BASIS_ZH}[,，]? ?)?(?:{_LINKS_ZH}[,，]? ?)*(?:{_SAYS_ZH})? ?[:：,，]? ?"
_LEADS = re.compile(rf"(?:{_ENGLISH}|{_CHINESE})")
_NAMED = re.compile(rf"\b{_NOUN}\b|判断|判定|结论|结果|裁决|标签|答案")


def read_verdict(text: str, finish_reason: str = "stop") -> Verdict | None:
    """Return the verdict that a judge's reply ends with, or None when it has none that is beyond doubt."""
    if finish_reason.lower() in (*CUT_OFF, *FILTERED):
        return None
    said = _reply(text)
    if said is None:
        return None
    found, value = _json(said)
    if found:
        return value
    return _of_lines(_lines(said))


def _reply(text: str) -> str | None:
    """Return what is said, after the thinking and up to the end of the turn; None when either has no end."""
    ends = [match.end() for match in _THOUGHT.finditer(text)]
    begins = [match.start() for match in _THINKS.finditer(text)]
    said = text[ends[-1] :] if ends else text
    if begins and (not ends or begins[-1] > ends[-1]):
        return None
    said = _TURN_BEGINS.sub("", re.sub(r"^\s*<s>", "", said))
    said, *after = _TURN_ENDS.split(said)
    return None if any(re.search(r"\w", CONTROL.sub("", rest.lower())) for rest in after) else said


def _json(said: str) -> tuple[bool, Verdict | None]:
    """Tell whether a reply is one JSON object, and return its verdict."""

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        return dict(pairs) if len(pairs) == len({name for name, _ in pairs}) else {}

    bare = said.strip()
    if bare.startswith("```") and bare.endswith("```"):
        bare = re.sub(r"\A(?:json)?(?=\s)", "", bare.strip("`"), flags=re.IGNORECASE)
    try:
        value = json.loads(bare, object_pairs_hook=once)
    except (ValueError, RecursionError):  # a reply may be one long row of brackets
        return False, None
    if not isinstance(value, dict):
        return False, None
    label = value.get("verdict")
    return True, next((verdict for verdict, words in LABELS.items() if words == label), None)


class _Line:
    """One line: its words without markup, and how it stands in the text."""

    def __init__(self, raw: str, box: str = "", *, code: bool = False) -> None:
        self.box = box
        raw = _TAGS.sub(" ", raw)
        bare = _BULLET.sub("", raw)
        self.listed = bare != raw or raw.lstrip().startswith("|")
        self.ends = bool(_ENDS.search(raw))
        bold = re.match(r"\s*(\*\*|__).+\1\W*$", raw) and not self.ends
        self.heading = bool(bold or re.match(r"\s*#{1,6}\s", raw))
        self.quoted = code or bool(re.match(rf"\W*[{_QUOTES}]", bare))
        # A judge disguises nothing: what is disguised was copied. Wide letters are no disguise.
        plain = "".join(unicodedata.normalize("NFKC", c) if "！" <= c <= "～" else c for c in bare).lower()
        self.disguised = bool(HIDDEN.search(bare)) or len(LABEL.findall(fold(bare))) != len(LABEL.findall(plain))
        words = CONTROL.sub(" ", fold(bare))
        self.text = " ".join(re.sub(rf"[^\w\s.,;:!?，。；！？…、/%{_MEANT}]+|_+", " ", words).split())
        self.leads_on = self.heading or bool(_LEADS_ON.search(raw) or _POINTS_AHEAD.search(self.text))

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
        return bool(_LEADS.fullmatch(text.strip().rstrip(",，"))) and named not in (1, 2)


def _lines(said: str) -> list[_Line]:
    """Return the lines that have words in them; of several boxes on a line each is a line of its own."""
    lines: list[_Line] = []
    blank = code = False
    for raw in _STRUCK.sub(" ", said.translate(dict.fromkeys(map(ord, _VARIANT)))).splitlines():
        if raw.lstrip().startswith(("```", "~~~")):
            code = not code
            continue
        if not re.search(r"\w", fold(_TAGS.sub(" ", raw))):
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
    boxes = list(_BOX.finditer(raw))
    if not boxes or not LABEL.search(fold(raw)):
        return [(_BOX.sub(" ", raw), "")]
    kinds = [str(box.lastgroup) for box in boxes]
    if len(boxes) == 1:
        return [(_BOX.sub(" ", raw), kinds[0])]
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
    named = [line for line, lead in zip(standing, before, strict=False) if _NAMED.search(f"{lead} {line.introduction}")]
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
    if (LABEL.search(before.text) and before.box == "unclear") or _DECLINES.search(before.text):
        return False
    unfinished = not (before.ends or before.listed or _BY_POINT.match(before.text)) and not line.introduction.strip()
    leads_on = before.leads_on or unfinished or (line.quoted and not before.ends)
    return not leads_on or before.leads(re.sub(r"^(?:step )?\d{1,2}[.):]? ", "", before.text))
