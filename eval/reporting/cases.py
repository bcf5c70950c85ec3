"""Case studies, chosen by rule: where tuning gained most, where it lost most, where the judge wavered."""

import re
from collections.abc import Callable
from typing import Any

from eval.records.answers import Answer
from eval.records.folder import Folder
from eval.records.questions import Question, language_of
from eval.reporting.experiment import Experiment, RunFacts
from eval.result.page import pairs
from eval.statistics.reference_scores import chrf, looping, word_weights, words

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


def chosen(experiment: Experiment, most: int) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return the case studies of the main part (the first of each kind) and those of the appendix."""
    main: list[dict[str, Any]] = []
    more: list[dict[str, Any]] = []
    for task in experiment.tasks if most else ():
        run = best_run(experiment, task, experiment.lead_judge)
        if run is None:
            continue
        folder, kinds = Folder(run.folder), _by_kind(run, most)
        questions = {question.id: question for question in folder.judged_questions}
        weight = word_weights(question.reference for question in questions.values())
        for kind, found in kinds.items():
            for number, case in enumerate(found):
                id_ = case["id"]
                wrong = {who: error(folder.answers[who][id_], questions[id_], weight) for who in ("base", "tuned")}
                where = more if number or len(main) >= len(kinds) else main
                where.append(case | {"kind": kind, "run": run.name, "wrong": wrong})
    return main, more


def _by_kind(run: RunFacts, most: int) -> dict[str, list[dict[str, Any]]]:
    """Return kind -> at most so many cases, from the judged pairs of a run's base and tuned model.

    A case holds the question, both answers, and every judge's verdict on them.
    """
    cases: dict[str, dict[str, Any]] = {}
    for pair in pairs(Folder(run.folder)):
        if {pair["a"], pair["b"]} != {"base", "tuned"}:
            continue
        answers = dict(zip((pair["a"], pair["b"]), pair["answers"], strict=True))
        case = cases.setdefault(pair["id"], pair | answers | {"judges": [], "wavered": False, "win": 0, "loss": 0})
        case["judges"].append({"judge": pair["judge"], "orders": pair["orders"]})
        case["wavered"] |= pair["disagree"]
        if pair["verdict"] in ("win", "loss"):
            case["win" if (pair["verdict"] == "win") == (pair["a"] == "tuned") else "loss"] += 1
    for case in cases.values():
        near = {who: chrf(case[who], case["reference"]) if case["reference"] else 0 for who in ("base", "tuned")}
        case |= {"distance": near["tuned"] - near["base"], "votes": case["win"] - case["loss"]}
    ranked = sorted(cases.values(), key=lambda case: (-case["votes"], -case["distance"], case["id"]))
    kinds = {
        "win": [case for case in ranked if case["votes"] > 0],
        "loss": [case for case in reversed(ranked) if case["votes"] < 0],
        "inconsistent": sorted((case for case in ranked if case["wavered"]), key=lambda case: case["id"]),
    }
    return {kind: found[:most] for kind, found in kinds.items()}
