"""Several runs together: Holm over the tasks, all questions pooled, and one ranking of all models."""

from pathlib import Path
from statistics import mean
from typing import Any

from common.names import root_task
from eval.records.folder import answers_of, judgments_of, task_of
from eval.statistics.intervals import detectable_rate, holm, rate_of, sign_test, wins_needed
from eval.statistics.length_control import length_controlled
from eval.statistics.outcomes import Outcome, outcomes
from eval.statistics.ranking import Game, rank


def contestant_name(folder: Path, who: str) -> str:
    """Return what a contestant is called beside those of other runs: its model, and how it was tuned.

    Where several models meet in a folder that is no run, each has a name of its own already.
    """
    if who not in ("base", "tuned") or len(folder.parts) < 2 or not (folder / "manifest.json").is_file():
        return who
    model, method = folder.parts[-2:]
    task = task_of(folder)
    rows = task.removeprefix(root_task(task))  # +rewritten, ~raw: trained on other rows of the same task
    return model if who == "base" else " ".join(filter(None, [model, method, rows]))


def pool(parts: list[tuple[Path, dict[str, Any]]]) -> list[dict[str, Any]]:
    """Return, for each judge and pair of contestants, the tasks' figures with Holm's p and those of all questions.

    `parts` holds folders and their results. The pooled interval is that of stats.rate_of; the length-controlled rate is
    given from 60 questions on.
    """
    found: dict[tuple[str, str, str], list[tuple[Path, dict[str, Any]]]] = {}
    tasks = {folder: _task(folder, result) for folder, result in parts}
    for folder, result in parts:
        for row in result["comparisons"]:
            if row["kind"] != "panel":
                found.setdefault((row["judge"], row["a"], row["b"]), []).append((folder, row))
    return [_pooled(judge, a, b, rows, tasks) for (judge, a, b), rows in found.items()]


def _task(folder: Path, result: dict[str, Any]) -> str:
    """Return what tells the questions of one task from those of another, whose ids may be the same.

    A task's variants and mixes have its own questions.
    """
    return root_task(str(result["task"])) or str(folder)


def _pooled(
    judge: str, a: str, b: str, rows: list[tuple[Path, dict[str, Any]]], tasks: dict[Path, str]
) -> dict[str, Any]:
    adjusted = holm([row["sign_test_p"] for _, row in rows])
    scored: dict[tuple[str, str], list[tuple[float, int]]] = {}
    for folder, _ in rows:
        answers = answers_of(folder)
        for outcome in outcomes(judgments_of(folder)[judge], a, b):
            if outcome.score is not None:
                longer = len(answers[a][outcome.id].answer) - len(answers[b][outcome.id].answer)
                scored.setdefault((tasks[folder], outcome.id), []).append((outcome.score, longer))
    # Runs of one task share its questions: a question counts once, with the mean of what the runs have on it.
    scores = [mean(score for score, _ in found) for found in scored.values()]
    differences = [round(mean(longer for _, longer in found)) for found in scored.values()]
    wins, losses = sum(score > 0.5 for score in scores), sum(score < 0.5 for score in scores)
    return {
        "judge": judge,
        "a": a,
        "b": b,
        "tasks": [{"folder": str(folder), "holm_p": p} | row for (folder, row), p in zip(rows, adjusted, strict=True)],
        "questions": len(scores),
        "wins": wins,
        "ties": len(scores) - wins - losses,
        "losses": losses,
        "win_rate": rate_of(scores) if scores else None,
        "sign_test_p": sign_test(wins, losses),
        "wins_needed": wins_needed(len(scores)),
        "detectable_rate": detectable_rate(len(scores)),
        "length_controlled": length_controlled(scores, differences),
    }


def ranking(parts: list[tuple[Path, dict[str, Any]]], judge: str) -> list[dict[str, Any]]:
    """Return the Bradley-Terry ranking of all models in `parts` by one judge."""
    games: list[Game] = []
    for folder, result in parts:
        judgments = judgments_of(folder).get(judge, [])
        pairs = [(row["a"], row["b"]) for row in result["comparisons"] if row["judge"] == judge]
        for a, b in pairs:
            games += [game for outcome in outcomes(judgments, a, b) if (game := _game(folder, result, outcome))]
    return rank(games) if games else []


def _game(folder: Path, result: dict[str, Any], outcome: Outcome) -> Game | None:
    names = [contestant_name(folder, who) for who in (outcome.a, outcome.b)]
    if outcome.score is None or names[0] == names[1]:
        return None
    return f"{_task(folder, result)}/{outcome.id}", names[0], names[1], outcome.score
