"""Base against tuned on the general prompts: which checks each answer passes, and a paired difference with interval."""

from collections import Counter
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from common.files import sha256
from eval.general.checks import passes
from eval.records.answers import Answer
from eval.records.questions import Question
from eval.statistics.intervals import rate_interval
from eval.statistics.reference_scores import looping

LANGUAGES = ("en", "zh")
OTHER_WORDS = {"language", "one_of", "matches", "json_keys", "json_list", "code"}
"""Checks that say themselves in what an answer is written; other prompts are answered in their own script."""
PROMPTS = Path(__file__).parent


@cache
def prompts() -> dict[str, dict[str, Any]]:
    """Return id -> a prompt (`ask`) and its checks, of both languages."""
    found: dict[str, dict[str, Any]] = {}
    for language in LANGUAGES:
        rows = yaml.safe_load((PROMPTS / f"prompts.{language}.yaml").read_text("utf-8"))
        for number, row in enumerate(rows, 1):
            own = {} if OTHER_WORDS & row.keys() else {"script": language}
            found[f"general-{language}-{number:02d}"] = row | own
    return found


def questions() -> list[Question]:
    """Return the prompts as questions to be asked."""
    return [Question(id_, row["ask"], category=id_.split("-")[1], use="general") for id_, row in prompts().items()]


def checked(id_: str, answer: str) -> dict[str, bool]:
    """Return check -> whether an answer to a prompt passes it; one that repeats the prompt or itself passes none."""
    wanted = dict(prompts()[id_])
    repeats = wanted.pop("ask") in answer or looping(answer)
    return passes("" if repeats else answer, wanted)


def compare(base: Mapping[str, Answer], tuned: Mapping[str, Answer]) -> dict[str, Any]:
    """Return what general.json holds: for each language and all, the share of prompts passed and its change.

    A prompt is passed when all its checks are. Prompts that either model has no answer to (a failed call) are left out.
    """
    models = {"base": base, "tuned": tuned}
    both = [id_ for id_ in prompts() if all(id_ in given and not given[id_].error for given in models.values())]
    found = {who: {id_: checked(id_, given[id_].answer) for id_ in both} for who, given in models.items()}
    passed = {id_: tuple(all(found[who][id_].values()) for who in models) for id_ in both}
    kinds = Counter(name for result in found["base"].values() for name in result)
    return {
        "prompts": {name: sha256(PROMPTS / name) for name in (f"prompts.{language}.yaml" for language in LANGUAGES)},
        "left_out": len(prompts()) - len(both),
        "cut_off": {who: sum(given[id_].cut_off for id_ in both) for who, given in models.items()},
        "scores": {
            part: _change([pair for id_, pair in passed.items() if part in ("all", id_.split("-")[1])])
            for part in ("all", *LANGUAGES)
        },
        "checks": {
            kind: {"prompts": number} | {who: sum(row.get(kind, False) for row in found[who].values()) for who in found}
            for kind, number in sorted(kinds.items())
        },
        "lost": [id_ for id_, pair in passed.items() if pair == (True, False)],
        "gained": [id_ for id_, pair in passed.items() if pair == (False, True)],
    }


def _change(pairs: list[tuple[bool, ...]]) -> dict[str, Any]:
    """Return both shares and the change with its 95 % interval, paired by prompt (that of a win rate, doubled)."""
    n = len(pairs)
    low, high = rate_interval([(1 + tuned - base) / 2 for base, tuned in pairs])
    base, tuned = (sum(pair[side] for pair in pairs) / n if n else 0.0 for side in (0, 1))
    change = {"mean": tuned - base, "low": 2 * low - 1, "high": 2 * high - 1}
    return {"prompts": n, "base": base, "tuned": tuned, "difference": change}
