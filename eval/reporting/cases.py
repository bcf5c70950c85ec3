"""Case studies, chosen by rule: where tuning gained most, where it lost most, where the judge wavered. Pure."""

from typing import Any

from eval.reporting.experiment import Experiment, RunFacts
from eval.statistics.reference_scores import chrf

RULE = (
    "By rule, not by taste: from the run that did best against its base, the pairs on which most judges saw a win in "
    "both orders, and a loss in both orders (at equal votes, where the distance in chrF to the reference is largest), "
    "and those on which a judge changed its mind when the answers changed places."
)


def best_run(experiment: Experiment, task: str, judge: str) -> RunFacts | None:
    """Return the run of a task with the highest win rate against its base; the first of equals."""
    runs = [
        run for run in experiment.done if run.base_task == task and run.comparison(judge).get("win_rate") is not None
    ]
    return max(runs, key=lambda run: run.comparison(judge)["win_rate"], default=None)


def choose(pairs: list[dict[str, Any]], most: int = 1) -> dict[str, list[dict[str, Any]]]:
    """Return kind -> at most so many cases, from the judged pairs (`eval.result.page.pairs`) of base and tuned model.

    A case holds the pair as seen from the tuned model, and every judge's verdict on it.
    """
    cases = _by_question(pairs)
    wins = [case for case in cases if case["votes"] > 0]
    losses = [case for case in cases if case["votes"] < 0]
    chosen = {
        "win": sorted(wins, key=lambda case: (-case["votes"], -case["distance"], case["id"])),
        "loss": sorted(losses, key=lambda case: (case["votes"], case["distance"], case["id"])),
        "inconsistent": sorted((case for case in cases if case["wavered"]), key=lambda case: case["id"]),
    }
    return {kind: found[:most] for kind, found in chosen.items()}


def _by_question(pairs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for pair in pairs:
        if {pair["a"], pair["b"]} != {"base", "tuned"}:
            continue
        tuned_first = pair["a"] == "tuned"
        tuned, base = pair["answers"] if tuned_first else pair["answers"][::-1]
        case = found.setdefault(
            pair["id"],
            {key: pair[key] for key in ("id", "category", "question", "reference")}
            | {"tuned": tuned, "base": base, "votes": 0, "wavered": False, "judges": [], "distance": 0.0},
        )
        sign = {"win": 1, "loss": -1}.get(pair["verdict"], 0)
        case["votes"] += sign if tuned_first else -sign
        case["wavered"] |= pair["disagree"]
        case["judges"].append({"judge": pair["judge"], "orders": pair["orders"]})
    for case in found.values():
        if case["reference"]:
            case["distance"] = chrf(case["tuned"], case["reference"]) - chrf(case["base"], case["reference"])
    return list(found.values())
