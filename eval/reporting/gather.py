"""Read an experiment from its files: a sweep by its name, or runs by their folders."""

from itertools import chain
from pathlib import Path
from typing import Any

from common import run_files, sweep_files, typed
from common.errors import UserError
from common.files import read_object
from common.paths import data_folder
from common.run_files import Manifest
from common.sweep_files import DONE, Plan
from eval.records.folder import Folder
from eval.reporting.experiment import Experiment, Meeting, RunFacts
from eval.result.metrics import build
from eval.statistics.pooling import Part, rankings, table


def from_sweep(sweep: str) -> Experiment:
    """Read a sweep that was started; UserError when there is none, or nothing of it is done."""
    plan = sweep_files.read_sweep(sweep)
    runs = [_run_of_sweep(plan, run) for run in plan.runs]
    if not any(run.state == DONE for run in runs):
        hint = f"make sweep SWEEP={plan.name} goes on; STATUS=1 shows how far"
        raise UserError(f"no run of {plan.name} is done yet", hint)
    places = {task: Folder(plan.compare(task)) for task in plan.tasks}
    met = {task: place for task, place in places.items() if (place.path / "questions.jsonl").is_file()}
    file, cards = Path(plan.file), _cards(runs)
    return _with_rankings(
        Experiment(
            plan.name, [*_converted(cards), plan.typed or f"make sweep SWEEP={plan.file}"], runs,
            title=plan.title, question=plan.question, axes=plan.axes, cards=cards,
            meetings={(plan.name, task): Meeting(place, build(place)) for task, place in met.items()},
            files={plan.file: file.read_text(encoding="utf-8")} if file.is_file() else {},
        )
    )  # fmt: skip


def _run_of_sweep(plan: Plan, run: sweep_files.Run) -> RunFacts:
    state, place = sweep_files.read_state(plan, run), Path(run.folder)
    now, error = state.state, state.error or ""
    if now == DONE and not (place / "manifest.json").is_file():
        now, error = "gone", f"{place} is gone"
    return read_run(
        place, name=run.name, task=run.task, model=run.model, method=run.method, state=now, error=error,
        point=run.point, contestant=run.contestant, base=run.base, group=plan.name, seconds=state.seconds,
        baseline=plan.run(run.baseline).name if run.baseline else "",
    )  # fmt: skip


def from_runs(folders: list[Path]) -> Experiment:
    """Read runs by their folders; UserError when one is no run or is not trained."""
    manifests = {folder: run_files.read_manifest(folder) for folder in dict.fromkeys(folders)}
    for folder, manifest in manifests.items():
        if not manifest:
            raise UserError(f"{folder} is no run: it has no manifest.json", "RUN=runs/<task>/<model>/<method>")
        if "train" not in manifest["steps"]:
            raise UserError(f"{folder} has not been trained yet", _command(manifest))
    names = _told_apart(list(manifests))
    runs = [
        read_run(
            folder, name=names[folder], task=manifest["task"], model=manifest["model"], method=manifest["method"],
            seconds={step: facts["seconds"] for step, facts in manifest["steps"].items()},
        )
        for folder, manifest in manifests.items()
    ]  # fmt: skip
    cards = _cards(runs)
    typed_for = (typed.lines(run.folder) or [run.manifest.get("command") or _command(run.manifest)] for run in runs)
    own = "-".join(runs[0].folder.parts[-3:]) if len(runs) == 1 else "runs"
    return _with_rankings(Experiment(own, [*_converted(cards), *chain(*typed_for)], runs, cards=cards))


def _command(manifest: Manifest) -> str:
    pairs = {key: manifest.get(key) for key in ("task", "model", "method", "variant")}
    return " ".join(["make run", *(f"{key.upper()}={value}" for key, value in pairs.items() if value)])


def _converted(cards: dict[str, Any]) -> list[str]:
    """Return how the rows were converted, as it was typed."""
    return [line for task in cards for line in typed.lines(data_folder(task))]


def _told_apart(folders: list[Path]) -> dict[Path, str]:
    """Return a name for each run: its method and variant, and what else tells it from the others."""
    kept = [place for place in (-3, -2, -1) if place == -1 or len({folder.parts[place:][:1] for folder in folders}) > 1]
    return {
        folder: " ".join(folder.parts[place] for place in kept if -place <= len(folder.parts)) for folder in folders
    }


def read_run(folder: Path, **known: Any) -> RunFacts:
    """Read one run's files; what is not there stays empty."""
    asked = Folder(folder) if (folder / "questions.jsonl").is_file() else None
    return RunFacts(
        folder=folder,
        manifest=run_files.read_manifest(folder),
        heldout=run_files.read_heldout(folder),
        log=run_files.read_log(folder / "adapter"),
        result=build(asked) if asked else {},
        lengths=_lengths(asked) if asked else {},
        **known,
    )


def _lengths(folder: Folder) -> dict[str, list[int]]:
    """Return the characters of the judged answers of base and tuned model, and of the references."""
    asked = folder.judged_questions
    found = {"reference": [len(question.reference) for question in asked if question.reference]}
    for who in ("base", "tuned"):
        given = [folder.answers[who][q.id] for q in asked if q.id in folder.answers.get(who, {})]
        found[who] = [len(answer.answer) for answer in given if not answer.error]
    return found


def _cards(runs: list[RunFacts]) -> dict[str, dict[str, Any]]:
    """Return the card of each task's rows, where these still are the rows that the runs were trained on."""
    found = {}
    for run in runs:
        card = read_object(data_folder(run.task) / "card.json")
        trained = run.manifest.get("data", {}).get("files", {})
        if card and trained.get("train") == card["files"]["train"]:
            found[run.task] = card
    return found


def _with_rankings(found: Experiment) -> Experiment:
    """Rank the models of each task by each judge, where all are linked by comparisons."""
    for group, task in dict.fromkeys((run.group, run.base_task) for run in found.done):
        apart: list[Part] = [
            (Folder(run.folder), run.result) for run in found.done if run.base_task == task and run.result
        ]
        parts: list[Part] = [found.meetings[group, task]] if (group, task) in found.meetings else apart
        ranked = {(group, task, judge): rows for judge, rows in rankings(table(parts)).items() if len(rows) > 2}
        found.rankings.update(ranked)
    return found
