"""The judge's three labels, and the one way of seeing through a text's disguises that reader and fence share.

What `fold` and `LABEL` find, the reader may take for a verdict, so `CLAIM` finds it too, and the fence takes it out of
what contestants wrote.
"""

import re
import unicodedata
from functools import lru_cache

from eval.records.judgments import Verdict

LABELS: dict[Verdict, str] = {
    "better": "Assistant 1 is better than Assistant 2",
    "worse": "Assistant 1 is worse than Assistant 2",
    "equal": "Assistant 1 is equal to Assistant 2",
}
# Letters that look like Latin ones, Chinese characters in their traditional form, and brackets that look like others.
_LOOK_ALIKES = str.maketrans(
    "АВЕЅІЈКМНОРСТУХаеіјкорсухѕһԁԛԝɑαεικνορτυχΑΒΕΙΚΜΝΟΡΤΥΧıɡɩ‹›〈〉⟨⟩❬❭◁▷優於勝過強遜與等▁",
    "ABESIJKMHOPCTYXaeijkopcyxshdqwaaeiknoptyxABEIKMNOPTYXigi<><><><><>优于胜过强逊与等_",
)
_CIRCLED = {"➀": "1", "➁": "2", "➊": "1", "➋": "2", "❶": "1", "❷": "2", "⓵": "1", "⓶": "2", "⒈": "1", "⒉": "2"}


@lru_cache(maxsize=20_000)
def _folded(character: str) -> str:
    """Return what a character looks like, in lower case: "" for what is not seen."""
    if unicodedata.decomposition(character).endswith("0338"):  # struck out, as ≠ is
        return "¬"
    character = _CIRCLED.get(character, character.translate(_LOOK_ALIKES))
    plain = unicodedata.normalize("NFKD", character).translate(_LOOK_ALIKES).lower()
    return "".join(c for c in plain if unicodedata.category(c) not in ("Cf", "Mn", "Me") and c != "\u115f")


def fold(text: str) -> str:
    """Return a text as it looks: no hidden characters, wide, circled and foreign look-alikes as plain small letters."""
    return text.lower() if text.isascii() else "".join(map(_folded, text))


def origins(text: str) -> list[int]:
    """Return for each character of `fold(text)`, and for its end, where in `text` it comes from."""
    return [at for at, character in enumerate(text) for _ in _folded(character)] + [len(text)]


# Characters that hide text from a reader or change its order.
HIDDEN = re.compile(
    r"[\u00ad\u061c\u180e\u200b\u200c\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff\U000e0000-\U000e007f]"
)
# Blanks and markup, but no end of a clause.
_TAG = r"</?[a-z]\w{0,15} */?>|\\[a-z]{2,15}"
_GAP = rf"(?:(?!{_TAG})[^\w.,;:!?。，；：！？]|_|{_TAG})*"
_ONE, _TWO = rf"{_GAP}(?:1|one|一){_GAP}", rf"{_GAP}(?:2|two|二){_GAP}"


def _words(*words: str) -> str:
    return rf"{_GAP}".join(words)


LABEL = re.compile(
    rf"assistant{_ONE}is{_GAP}(?:(?P<better>{_words('better', 'than')})|(?P<worse>{_words('worse', 'than')})"
    rf"|(?P<equal>{_words('equal', 'to')})){_GAP}assistant{_GAP}(?:2|two)(?![^\W_])"
    rf"|(?:助手|助理){_ONE}(?:(?P<better_zh>优于|好于|强于|胜过|胜于)|(?P<worse_zh>劣于|差于|不如|逊于)"
    rf"|(?P<equal_zh>等于|等同于)){_GAP}(?:助手|助理){_GAP}[2二]"
)
# Any claim about the two: the labels, the same with the numbers changed over, and sentences that come near them.
_ANY = rf"{_GAP}(?:[12ab一二]|one|two|i{{1,2}}){_GAP}"
CLAIM = re.compile(
    rf"assistant{_ANY}is{_GAP}(?:\w+{_GAP}){{0,3}}?(?:better|worse|equal|superior|inferior|preferable|stronger|weaker)"
    rf"{_GAP}(?:than|to){_GAP}assistant{_GAP}(?:[12ab]|one|two|i{{1,2}})(?![^\W_])"
    rf"|(?:助手|助理|回答){_ANY}.{{0,4}}?(?:优于|好于|强于|胜过|胜于|高于|劣于|差于|不如|逊于|等于|等同于|相当于)"
    rf"{_GAP}(?:(?:[^\W_]|[.,;:!?。，；：！？]){{1,2}}{_GAP})?(?:助手|助理|回答){_GAP}[12ab一二]"
)
# Control tokens of chat formats, also with the wide bars of DeepSeek's and the triangles of Kimi's.
CONTROL = re.compile(
    r"<\s*(?:/\s*)?\|[^|<>\n]{1,40}\|?\s*>|<\s*[^|<>\n]{1,40}\|\s*>"
    r"|\[/?(?:inst|think|tool_calls|tool_results|available_tools|system_prompt|gmask|eos|bos)\]"
    r"|<</?sys>>|</?s>|<(?:start|end)_of_turn>|<(?:bos|eos|pad|unk|sop|eop|eoh|eoa)(?:_token)?>"
    r"|<fim_\w{1,12}>|</?tool_(?:calls?|response|output)>|</?seed:\w{1,40}>|<reserved_\d+>|<unused_?\d+>|<extra_id_\d+>"
    r"|</?(?:\w+:)?think(?:ing)?>"
)
# A line that opens or closes a fence of the prompt, with any mark.
# It begins where a run of signs begins: an answer that is one long row of them is read through once.
FENCE = re.compile(
    r"(?<![=~#*-])[=~#*-]{2,} *\w{4,40} *[=~#*-]{2,} *(?:begin|end)\b|(?<!=)={2,} *[0-9a-f]{8,40} *={2,}"
)


def verdict_of(match: re.Match[str]) -> Verdict:
    """Return the verdict that a match of LABEL stands for."""
    name = next(name for name, text in match.groupdict().items() if text).removesuffix("_zh")
    return {"better": "better", "worse": "worse", "equal": "equal"}[name]  # type: ignore[return-value]
