"""What a reader must know before believing a result: each warning is one sentence about something measured."""

import re
from functools import partial
from typing import Any

from eval.result.sentences import Say, rate
from eval.result.wording import say

FAMILIES = {
    "OpenAI": r"gpt|chatgpt|^o[1345]\b|davinci",
    "Qwen": r"qwen|qwq",
    "Llama": r"llama|vicuna|alpaca",
    "DeepSeek": r"deepseek",
    "Claude": r"claude",
    "Gemini": r"gemini|gemma",
    "Baichuan": r"baichuan",
    "Phoenix": r"phoenix|chimera",
    "GLM": r"glm",
    "Mistral": r"mistral|mixtral",
}
LONGER_WINS = 0.7  # above this alpaca_eval's authors advise against a judge


def family(*names: str) -> str:
    """Return the family of models that one of `names` belongs to, or ""."""
    return next(
        (
            title
            for title, pattern in FAMILIES.items()
            if any(re.search(pattern, name.rpartition("/")[2], re.IGNORECASE) for name in names)
        ),
        "",
    )


def caveats_of(result: dict[str, Any], language: str = "en") -> list[str]:
    """Return the warnings that a result calls for."""
    tell = partial(say, language)
    found = [tell("stale", n=result["stale_judgments"])] if result["stale_judgments"] else []
    for name, judge in result["judges"].items():
        if judge["kind"] == "stand-in":
            found.append(tell("stand-in", judge=name))
        wrong = [kind for kind, score in judge["canaries"].items() if score["wrong"]]
        if wrong:
            found.append(tell("canaries", judge=name, kinds=", ".join(wrong)))
        if judge["statuses"].get("failed"):
            found.append(tell("failed calls", n=judge["statuses"]["failed"], judge=name, why=judge["first_error"]))
        if judge.get("cut_off") and judge["statuses"].get("unparsed"):
            found.append(tell("judge cut off", n=judge["cut_off"], judge=name))
        if judge["statuses"].get("refused"):
            found.append(tell("refused calls", n=judge["statuses"]["refused"], judge=name))
    for comparison in result["comparisons"]:
        label = tell("label", a=comparison["a"], b=comparison["b"], judge=comparison["judge"])
        found += [label + warning for warning in _of_comparison(comparison, result, tell)]
    for who, entry in result["contestants"].items():
        if entry["cut_off"]:
            found.append(tell("cut off", n=entry["cut_off"], who=who))
        if entry.get("empty"):
            found.append(tell("empty", n=entry["empty"], who=who))
        if entry["failed"]:
            found.append(tell("unanswered", n=entry["failed"], who=who))
    if len({str(entry["settings"]) for entry in result["contestants"].values()}) > 1:
        found.append(tell("settings"))
    return found


def _of_comparison(comparison: dict[str, Any], result: dict[str, Any], tell: Say) -> list[str]:
    found = [tell("unparsed", n=comparison["unparsed"], all=comparison["questions"])] if comparison["unparsed"] else []
    if comparison["kind"] != "model":
        return found
    low, high = comparison["first_share_interval"]
    if comparison["first_share"] is not None and not low <= 0.5 <= high:
        found.append(tell("first", share=comparison["first_share"]))
    share = comparison["longer_won"]
    if share is not None and comparison["longer_won_interval"][0] > 0.5:
        found.append(tell("longer", share=share, above=tell("above") if share > LONGER_WINS else ""))
    controlled = comparison["length_controlled"]
    if controlled:
        found.append(tell("controlled", rate=rate(controlled["win_rate"], controlled["interval"])))
    judge_family = family(comparison["judge"], result["judges"][comparison["judge"]]["model"])
    for who in (comparison["a"], comparison["b"]):
        if judge_family and judge_family == family(who, result["contestants"][who]["model"]):
            found.append(tell("family", who=who, family=judge_family))
    return found
