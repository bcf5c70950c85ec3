"""How many rows a cutoff shortens, estimated from the lengths in the rows' card. Pure.

LLaMA-Factory cuts a long row's question and answer in proportion, each at its end: of a question that fills the
cutoff by itself the marker goes that says whose turn it is, and of an answer its end token.
"""

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

from recipes.catalog.datasets import CHARACTERS_PER_TOKEN, DataFacts

MARKS = (("min", 0.0), ("p5", 0.05), ("p25", 0.25), ("p50", 0.5), ("p75", 0.75), ("p90", 0.9), ("p95", 0.95),
         ("p99", 0.99), ("max", 1.0))  # fmt: skip


def share_beyond(quantiles: Mapping[str, float], characters: float) -> float:
    """Return the share of rows longer than so many characters, on straight lines between the quantiles."""
    points = [(float(quantiles[name]), share) for name, share in MARKS if name in quantiles]
    if not points or characters < points[0][0]:
        return 1.0 if points else 0.0
    for (low, below), (high, above) in pairwise(points):
        if low <= characters < high:
            return 1.0 - (below + (above - below) * (characters - low) / (high - low))
    return 0.0


def warning(lengths: Mapping[str, Any], data: DataFacts, cutoff: int) -> str:
    """Say about how many rows are cut off and what to change; "" when none is."""
    for_text = max(0, cutoff - data.tokens(0)) * CHARACTERS_PER_TOKEN.get(data.language, 3.0)
    cut = round(data.rows * share_beyond(lengths.get("total", {}), for_text))
    if not cut:
        return ""
    questions = round(data.rows * share_beyond(lengths.get("prompt", {}), for_text))
    words = f"about {cut:,} rows ({cut / data.rows:.0%}) are longer than cutoff_len={cutoff} and lose their ends"
    if cut == 1:
        words = f"about one row is longer than cutoff_len={cutoff} and loses its end"
    if questions:
        words += f", about {questions:,} of them by their question alone"
    longest = data.tokens(lengths["total"]["max"])
    needed = cutoff
    while needed < min(longest, 4 * cutoff):
        needed *= 2
    return f'{words}\nfewer would be: SET="cutoff_len={needed}", for more memory; or shorter rows'
