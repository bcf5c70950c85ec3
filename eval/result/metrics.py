"""Put together what a folder's judgments say: metrics.json, which the table and the page are made from."""

from pathlib import Path
from typing import Any

from common.files import sha256, write_json
from common.llm.prices import price_of
from common.paths import folder_name
from common.versions import versions
from eval.judging.reference_judge import MARGIN, NAME
from eval.records.folder import all_judgments, answers_of, judgments_of, optional_json, questions_of, task_of
from eval.records.judgments import Judgment, pairs_judged
from eval.result.caveats import caveats_of
from eval.statistics.agreement import Ratings, agreement_of
from eval.statistics.outcomes import Outcome, length_effect, outcomes, panel, summary
from eval.statistics.reference_scores import choice_scores, text_scores

PANEL = "panel"  # the majority of the model judges


def build(folder: Path) -> dict[str, Any]:
    """Return all that is known about a folder's comparisons, as a JSON-like dict."""
    everything = questions_of(folder)
    answers = answers_of(folder)
    compared = [q for q in everything if q.use == "judge" and sum(q.id in given for given in answers.values()) > 1]
    judged = judgments_of(folder)
    stale = sum(map(len, all_judgments(folder).values())) - sum(map(len, judged.values()))
    pairs = list(dict.fromkeys(pair for rows in judged.values() for pair in pairs_judged(rows, list(answers))))
    comparisons: list[dict[str, Any]] = []
    agreement: list[dict[str, Any]] = []
    for a, b in pairs:
        by_judge = {judge: found for judge, rows in judged.items() if (found := outcomes(rows, a, b))}
        members = _members(list(by_judge))
        panelists = {judge: by_judge[judge] for judge in members}
        shown = by_judge | ({PANEL: panel(panelists, a, b)} if len(members) > 1 else {})
        for judge, found in shown.items():
            kind = kind_of(judge)
            comparisons.append(
                {"judge": judge, "kind": kind, "a": a, "b": b}
                | summary(found, both_orders=kind in ("model", "stand-in"))
                | length_effect(found, answers[a], answers[b])
                | ({"members": members} if kind == "panel" else {})
            )
        if len(by_judge) > 1:
            agreement.append({"a": a, "b": b} | agreement_of(_ratings(_judging(by_judge))))
    result: dict[str, Any] = {
        "folder": str(folder),
        "task": task_of(folder),
        "questions": len(compared),
        "contestants": {who: _contestant(rows) for who, rows in answers.items()},
        "judges": {judge: _judge(judgments) for judge, judgments in judged.items()},
        "stale_judgments": stale,
        "comparisons": comparisons,
        "agreement": agreement,
        "choice": choice_scores(everything, answers),
        "texts": text_scores(everything, answers),
        "heldout": {key: value for key, value in optional_json(folder / "heldout.json").items() if key != "row_losses"},
        "versions": versions("openai", "sacrebleu", "llamafactory"),
        "files": {
            str(path.relative_to(folder)): sha256(path)
            for path in [
                folder / "questions.jsonl",
                *sorted((folder / "answers").glob("*.jsonl")),
                *sorted((folder / "judgments").glob("*.jsonl")),
            ]
        },
    }
    result["warnings"] = caveats_of(result)
    return result


def save(folder: Path, result: dict[str, Any]) -> Path:
    """Write metrics.json."""
    path = folder / "metrics.json"
    write_json(path, result)
    return path


def kind_of(judge: str) -> str:
    """Return what kind of judge a name stands for: "stand-in", "human", "panel" or "model"."""
    if judge in (NAME, PANEL):
        return "stand-in" if judge == NAME else "panel"
    return "human" if judge.startswith("human") else "model"


def _members(judges: list[str]) -> list[str]:
    """Return who sits on the panel: each model once, however many ways (guided, structured) it was asked in."""
    members: dict[str, str] = {}
    for judge in judges:
        if kind_of(judge) == "model":
            members.setdefault(judge.partition("+")[0], judge)
    return list(members.values())


def _judging(by_judge: dict[str, list[Outcome]]) -> dict[str, list[Outcome]]:
    """Return those whose agreement is asked for: without the stand-in where two others have judged."""
    real = {judge: found for judge, found in by_judge.items() if kind_of(judge) != "stand-in"}
    return real if len(real) > 1 else by_judge


def _ratings(by_judge: dict[str, list[Outcome]]) -> Ratings:
    """Return judge -> ratings over all questions that any of them judged."""
    ids = list(dict.fromkeys(outcome.id for found in by_judge.values() for outcome in found))
    rated = {judge: {outcome.id: outcome.rating for outcome in found} for judge, found in by_judge.items()}
    return {judge: [ratings.get(id_) for id_ in ids] for judge, ratings in rated.items()}


def judgments_file(folder: Path, judge: str) -> Path:
    """Return where a judge's judgments lie."""
    return folder / "judgments" / f"{folder_name(judge)}.jsonl"


def _contestant(rows: dict[str, Any]) -> dict[str, Any]:
    first = next(iter(rows.values()))
    return {
        "model": first.model,
        "answers": sum(not row.error for row in rows.values()),
        "failed": sum(bool(row.error) for row in rows.values()),
        "cut_off": sum(row.cut_off for row in rows.values()),
        "empty": sum(row.empty for row in rows.values()),
        "settings": first.settings,
    }


def _judge(judgments: list[Judgment]) -> dict[str, Any]:
    replies = [reply for judgment in judgments for reply in judgment.replies]
    model = next((reply["model"] for reply in replies if reply["model"]), "")
    tokens_in, tokens_out = (sum(reply[name] for reply in replies) for name in ("tokens_in", "tokens_out"))
    price = price_of(model, "") if model else None
    return {
        "kind": kind_of(judgments[0].judge),
        "judgments": len(judgments),
        "model": model,
        "settings": judgments[0].settings,
        "fingerprints": sorted({reply["fingerprint"] for reply in replies if reply["fingerprint"]}),
        "cut_off": sum(reply["finish_reason"] == "length" for reply in replies),
        "asked_again": sum(len(judgment.replies) > 1 for judgment in judgments),
        "statuses": _count(judgment.status for judgment in judgments),
        "first_error": next((reply["error"] for reply in replies if reply["error"]), ""),
        "defused": sum(judgment.defused > 0 for judgment in judgments),
        "tokens_in": tokens_in,
        "tokens_out": tokens_out,
        "dollars": price.of(tokens_in, tokens_out) if price else None,
        "canaries": canary_score(judgments),
        **({"margin": MARGIN} if judgments[0].judge == NAME else {}),
    }


def _count(items: Any) -> dict[str, int]:
    counts: dict[str, int] = {}
    for item in items:
        counts[item] = counts.get(item, 0) + 1
    return dict(sorted(counts.items()))


def canary_score(judgments: list[Judgment]) -> dict[str, dict[str, int]]:
    """Return, for each kind of canary pair, how many there were and how many the judge got wrong."""
    score: dict[str, dict[str, int]] = {}
    for judgment in judgments:
        if judgment.canary:
            kind, _, right = judgment.canary.partition(":")
            entry = score.setdefault(kind, {"shown": 0, "wrong": 0})
            entry["shown"] += 1
            entry["wrong"] += judgment.winner != right
    return score
