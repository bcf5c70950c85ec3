"""Which judge is meant where none is named, and what so many of its judgments are likely to cost."""

import os

STAND_IN = "reference"  # the offline judge, which counts which answer is nearer to a reference answer
DEFAULT_MODEL = "gpt-6-luna"  # the model that judges, answers as `chatgpt` and generates where none is named
CALL_TOKENS_OUT = 350  # what a judge usually writes
PROMPT_TOKENS = 450  # what it is told besides the two answers
ANSWER_TOKENS = 300  # what a model usually answers, where no limit is known


def auto_judge() -> str:
    """Return the judge that `auto` stands for: JUDGE_MODEL where there is a key or a URL, else the stand-in."""
    there = os.environ.get("OPENAI_API_KEY") or os.environ.get("OPENAI_BASE_URL")
    return os.environ.get("JUDGE_MODEL", DEFAULT_MODEL) if there else STAND_IN


def likely_dollars(judge: str, judgments: int, answer_tokens: int | None = None) -> float | None:
    """Return about how many US dollars so many judgments cost, None where the judge's price is not known."""
    from common.llm.endpoint import split_model
    from common.llm.prices import price_of

    if judge == STAND_IN:
        return 0.0
    model, url = split_model(judge)
    price = price_of(model, url or os.environ.get("OPENAI_BASE_URL", ""))
    tokens_in = PROMPT_TOKENS + 2 * min(answer_tokens or ANSWER_TOKENS, ANSWER_TOKENS)
    return price.of(judgments * tokens_in, judgments * CALL_TOKENS_OUT) if price else None
