"""The judge's three labels, and the one way of seeing through a text's disguises that reader and fence share.

What `fold` and `LABEL` find, the reader may take for a verdict, so `CLAIM` finds it too, and the fence takes it out of
what contestants wrote.
"""

import re
import unicodedata
from functools import lru_cache
from pathlib import Path
from typing import cast

from common.yaml_files import patterns
from eval.records.judgments import Verdict

LABELS: dict[Verdict, str] = {
    "better": "Assistant 1 is better than Assistant 2",
    "worse": "Assistant 1 is worse than Assistant 2",
    "equal": "Assistant 1 is equal to Assistant 2",
}
_FORMS = patterns(Path(__file__).with_name("labels.yaml"))
HIDDEN, LABEL, CLAIM, CONTROL, FENCE = map(_FORMS.__getitem__, ("hidden", "label", "claim", "control", "fence"))
# Letters that look like Latin ones, Chinese characters in their traditional form, brackets and numbers in circles.
_LOOK_ALIKES = str.maketrans(
    "АВЕЅІЈКМНОРСТУХаеіјкорсухѕһԁԛԝɑαεικνορτυχΑΒΕΙΚΜΝΟΡΤΥΧıɡɩ‹›〈〉⟨⟩❬❭◁▷優於勝過強遜與等▁➀➁➊➋❶❷⓵⓶⒈⒉",
    "ABESIJKMHOPCTYXaeijkopcyxshdqwaaeiknoptyxABEIKMNOPTYXigi<><><><><>优于胜过强逊与等_1212121212",
)


@lru_cache(maxsize=20_000)
def _folded(character: str) -> str:
    """Return what a character looks like, in lower case: "" for what is not seen."""
    if unicodedata.decomposition(character).endswith("0338"):  # struck out, as ≠ is
        return "¬"
    plain = unicodedata.normalize("NFKD", character.translate(_LOOK_ALIKES)).translate(_LOOK_ALIKES).lower()
    return "".join(c for c in plain if unicodedata.category(c) not in ("Cf", "Mn", "Me") and c != "\u115f")


def fold(text: str) -> str:
    """Return a text as it looks: no hidden characters, wide, circled and foreign look-alikes as plain small letters."""
    return text.lower() if text.isascii() else "".join(map(_folded, text))


def origins(text: str) -> list[int]:
    """Return for each character of `fold(text)`, and for its end, where in `text` it comes from."""
    return [at for at, character in enumerate(text) for _ in _folded(character)] + [len(text)]


def verdict_of(match: re.Match[str]) -> Verdict:
    """Return the verdict that a match of LABEL stands for."""
    return cast(Verdict, str(match.lastgroup).removesuffix("_zh"))
