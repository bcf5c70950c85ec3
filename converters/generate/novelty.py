"""Whether a text is new: its ROUGE-L similarity to every text kept before is below a threshold. Exact.

ROUGE-L is twice the longest common subsequence by both lengths, which is rapidfuzz's normalised Indel similarity.

A token is a word or number as in rouge_score (lower case, split at whatever is no letter or digit); in scripts written
without spaces it is one character, so that no segmenter's mistakes decide.
"""

import re

from rapidfuzz.distance import Indel
from rapidfuzz.process import extractOne

UNSPACED = "\u0e00-\u0e7f\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U000323af"
TOKEN = re.compile(f"[{UNSPACED}]|[^\\W_{UNSPACED}]+")
ROUNDING = 1e-9


def tokens(text: str) -> list[str]:
    """Return the tokens of a text."""
    return TOKEN.findall(text.lower())


class Novelty:
    """The texts kept so far, numbered in the order of being kept."""

    def __init__(self, threshold: float = 0.7) -> None:
        self.threshold = threshold - ROUNDING
        self._characters: dict[str, str] = {}
        self._texts: list[str] = []

    def similar(self, text: str) -> tuple[int, float] | None:
        """Return (number, similarity) of the kept text most similar to this one, None when all are below threshold."""
        encoded = self._encode(text)
        scorer = Indel.normalized_similarity
        found = extractOne(encoded, self._texts, scorer=scorer, score_cutoff=self.threshold) if encoded else None
        return (found[2], found[1]) if found else None

    def add(self, text: str) -> None:
        """Keep a text."""
        self._texts.append(self._encode(text))

    def _encode(self, text: str) -> str:
        """Return a text with one character for each token, which is what rapidfuzz compares fastest."""
        known = self._characters
        return "".join(known.setdefault(token, chr(len(known))) for token in tokens(text))
