"""Case studies, chosen by rule: where tuning gained most, where it lost most, where the judge wavered. Pure."""

import re
from collections.abc import Callable
from typing import Any

from eval.records.answers import Answer
from eval.records.questions import Question, language_of
from eval.reporting.experiment import Experiment, RunFacts
from eval.statistics.reference_scores import chrf, looping, words

MARKERS = re.compile(
    r"<\|\w[\w ]*\|>|\[/?INST\]|</?s>|^#{2,3} ?(?:Instruction|Response|Input)\b|"
    r"^(?:Human|User|Assistant|用户|助手)\s*[:：]",
    re.MULTILINE,
)
"""What chat formats put around a turn, where a model writes it itself."""
CLAUSE = re.compile(r"[^。；;\n]+?(?:[。；;\n]|\. |$)")
OFF_TOPIC, FACTS, LONG = 0.05, 0.5, 2.0


def best_run(experiment: Experiment, task: str, judge: str) -> RunFacts | None:
    """Return the run of a task with the highest win rate against its base; the first of equals."""
    runs = [
        run for run in experiment.done if run.base_task == task and run.comparison(judge).get("win_rate") is not None
    ]
    return max(runs, key=lambda run: run.comparison(judge)["win_rate"], default=None)


def error(answer: Answer, question: Question, weight: Callable[[str], float]) -> tuple[str, dict[str, Any]]:
    """Return what is wrong with an answer, by rule, and the figures that say so; the rules are the report's `rule`.

    `weight` tells how much a word tells (`word_weights` of all references): a telling word stands in few of them.
    """
    text, reference = answer.answer, question.reference
    asked, wanted, said = set(words(question.text)), set(words(reference)), set(words(text))
    for key, found in {
        "empty": answer.empty,
        "cut": answer.cut_off,
        "loop": looping(text),
        "language": len(text) > 20 and language_of([text]) != language_of([reference or question.text]),
        "format": MARKERS.search(text),
    }.items():
        if found:
            return key, {}
    least = weight("") / 3
    telling = {word for word in wanted if weight(word) > least}
    known = telling | {word for word in asked if weight(word) > least}
    if known and _held(said, known, weight) < OFF_TOPIC:
        return "off_topic", {}
    if telling and (share := _held(said, telling, weight)) < FACTS:
        points = question.checklist or CLAUSE.findall(reference)
        lacking = max(points, key=lambda point: sum(map(weight, set(words(point)) & telling - said)), default="")
        return "facts", {"share": f"{share:.0%}", "lacking": lacking.strip()}
    if reference and len(text) > LONG * len(reference):
        return "long", {"times": f"{len(text) / len(reference):.1f}"}
    return "none", {}


def _held(said: set[str], of: set[str], weight: Callable[[str], float]) -> float:
    return sum(map(weight, said & of)) / sum(map(weight, of))


def choose(pairs: list[dict[str, Any]], most: int = 1) -> dict[str, list[dict[str, Any]]]:
    """Return kind -> at most so many cases, from the judged pairs (`eval.result.page.pairs`) of base and tuned model.

    A case holds the question, both answers, and every judge's verdict on them.
    """
    cases: dict[str, dict[str, Any]] = {}
    for pair in pairs:
        if {pair["a"], pair["b"]} != {"base", "tuned"}:
            continue
        answers = dict(zip((pair["a"], pair["b"]), pair["answers"], strict=True))
        case = cases.setdefault(pair["id"], pair | answers | {"said": [], "judges": [], "wavered": False})
        won = {"win": pair["a"], "loss": pair["b"]}.get(pair["verdict"])
        case["said"].append({"tuned": "win", "base": "loss"}.get(won or "", ""))
        case["wavered"] |= pair["disagree"]
        case["judges"].append({"judge": pair["judge"], "orders": pair["orders"]})
    for case in cases.values():
        case |= {kind: case["said"].count(kind) for kind in ("win", "loss")}
        near = {who: chrf(case[who], case["reference"]) for who in ("base", "tuned")} if case["reference"] else {}
        case["distance"] = near["tuned"] - near["base"] if near else 0.0
        case["votes"] = case["win"] - case["loss"]
    ranked = sorted(cases.values(), key=lambda case: (-case["votes"], -case["distance"], case["id"]))
    chosen = {
        "win": [case for case in ranked if case["votes"] > 0],
        "loss": [case for case in reversed(ranked) if case["votes"] < 0],
        "inconsistent": sorted((case for case in ranked if case["wavered"]), key=lambda case: case["id"]),
    }
    return {kind: found[:most] for kind, found in chosen.items()}
