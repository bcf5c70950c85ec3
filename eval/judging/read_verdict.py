"""Read a judge's verdict: from the last line only, in the forms judges really write, never guessed.

The last line that holds more than markup must END with exactly one label and hold no other. Before the
label only an introduction may stand ("Therefore, the judgment is:"), and none that denies, doubts or quotes.
Anything else is no verdict (None), which the caller asks for once more and then counts.
"""

import re

import orjson

from eval.records.judgments import Verdict

LABELS: dict[Verdict, str] = {
    "better": "Assistant 1 is better than Assistant 2",
    "worse": "Assistant 1 is worse than Assistant 2",
    "equal": "Assistant 1 is equal to Assistant 2",
}
WHOLE = ("stop", "eos", "end_turn", "")  # how servers call a reply that ended by itself
_ENGLISH = r"assistant ?(?:1|one) is (?:(better) than|(worse) than|(equal) to) assistant ?(?:2|two)"
_CHINESE = r"(?:助手|助理) ?[1一] ?(?:(优于|好于|强于)|(劣于|差于|不如)|(等于|等同于)) ?(?:助手|助理) ?[2二]"
LABEL = re.compile(f"{_ENGLISH}|{_CHINESE}", re.IGNORECASE)
# Any claim about the two, the labels' look-alikes too: none may stand beside the label.
CLAIM = re.compile(r"(?:assistant|助手|助理) ?[12一二ab](?!\w)|(?:助手|助理) ?[12一二]", re.IGNORECASE)

_FENCED = re.compile(r"^\s*```(?:json)?\s*\n(.*?)\n\s*```\s*$", re.DOTALL | re.IGNORECASE)
_WRAPPED = re.compile(r"</?(?:answer|final_answer|verdict|judge?ment|label|result)>|\\(?:boxed|text)\b", re.IGNORECASE)
_MARKUP = re.compile(r"[*_`#~\"'“”‘’「」『』\[\]【】<>(){}（）|\\-]+")
_DIGITS = str.maketrans("１２：．，\u00a0\u3000", "12:., " + " ")
_END = re.compile(r"[\s.。!！,，;；]+$")
_NAMES_A_VERDICT = (
    r"judge?ment|verdict|conclusion|conclude|label|decision|result|output|evaluation|assessment|rating"
    r"|final|answer|choice|最后一行|判断|判定|结论|结果|评价|评判|标签|裁决|评估"
)
_OPENS = (
    r"(?:therefore|thus|hence|so|overall|finally|consequently|accordingly|all in all|i conclude|i find"
    r"|in (?:conclusion|summary|short|the end)|to (?:conclude|summari[sz]e|sum up)"
    r"|based on|given|considering|taking)\b"
    r"|因此|所以|综上|总之|总的来说|总体|最终|综合|故|由此|基于|我认为"
)
_DENIES = (
    r"\bnot\b|n['’]t\b|\bcannot\b|\bnever\b|\bneither\b|\bnor\b|\bno\b|\bif\b|\bunless\b|\bwhether\b|\bwould\b"
    r"|\bcould\b|\bmight\b|\bmay\b|\bperhaps\b|\bpossibly\b|\binstead\b|\brather\b|\bfalse\b|\bwrong\b|\bor\b"
    r"|\bsays?\b|\bsaid\b|\bclaim\w*|\bwr[io]te?s?\b|\bwritten\b|\bquot\w*|\basks?\b|\bclaims?\b|\binject\w*"
    r"|\binstruct\w*|\btext\b|\bpretend\w*|\btempt\w*|\bexample\b|\bunclear\b|\bunsure\b|\?|？"
    r"|不是|并非|不能|无法|不会|未必|如果|假如|是否|可能|也许|声称|写道|要求|说|引用|错误|或"
)
_INTRODUCES = re.compile(
    rf"(?:^|.*\b|.*[\u4e00-\u9fff])(?:{_NAMES_A_VERDICT}).*(?:[:：]|\bis|\bthat|为|是)\s*$", re.IGNORECASE
)
_OPENS_WITH = re.compile(rf"^(?:and |but )?(?:{_OPENS}).*$", re.IGNORECASE)
_DENIED = re.compile(_DENIES, re.IGNORECASE)


def read_verdict(text: str, finish_reason: str = "stop") -> Verdict | None:
    """Return the verdict that a judge's text ends with, or None when it has none that is beyond doubt."""
    if finish_reason not in WHOLE or _thinks_still(text):
        return None
    lines = [line for line in map(_plain, text.rpartition("</think>")[2].splitlines()) if line]
    if not lines:
        return None
    verdict = _of_line(lines[-1])
    if verdict is None:
        return None
    for line in reversed(lines[:-1]):  # a judge that gives two verdicts in a row gives none
        earlier = _of_line(line)
        if earlier is None:
            break
        if earlier != verdict:
            return None
    return verdict


def read_structured(text: str, finish_reason: str = "stop") -> Verdict | None:
    """Return the verdict of a structured reply, `{"analysis": ..., "verdict": <label>}`, or None.

    Many endpoints take the wish for JSON and do not keep to it: what is no JSON is read by its last line.
    """
    if finish_reason not in WHOLE:
        return None
    try:
        value = orjson.loads(_FENCED.sub(r"\1", text.rpartition("</think>")[2]))
    except orjson.JSONDecodeError:
        return read_verdict(text, finish_reason)
    label = value.get("verdict") if isinstance(value, dict) else None
    return next((verdict for verdict, words in LABELS.items() if words == label), None)


def _of_line(line: str) -> Verdict | None:
    line = _END.sub("", line)
    labels = list(LABEL.finditer(line))
    if len(labels) != 1 or labels[0].end() != len(line):
        return None
    before = line[: labels[0].start()].strip()
    if before and (CLAIM.search(before) or _DENIED.search(before)):
        return None
    if before and not (_INTRODUCES.match(before) or _OPENS_WITH.match(before)):
        return None
    return _kind(labels[0])


def _kind(match: re.Match[str]) -> Verdict:
    better, worse, _, better_zh, worse_zh, _ = match.groups()
    return "better" if better or better_zh else "worse" if worse or worse_zh else "equal"


def _plain(line: str) -> str:
    """Return a line without markup, wide characters made narrow, blanks single; "?" for a quoted line."""
    if line.lstrip().startswith(">"):  # someone else's words
        return "?"
    return " ".join(_MARKUP.sub(" ", _WRAPPED.sub(" ", line.translate(_DIGITS))).split())


def _thinks_still(text: str) -> bool:
    return text.rfind("<think>") > text.rfind("</think>")
