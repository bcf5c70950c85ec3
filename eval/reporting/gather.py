"""Read an experiment from its files: a sweep by its name, or runs by their folders."""

from pathlib import Path
from typing import Any

from common.errors import UserError, nearest
from common.files import read_json
from common.paths import RUNS, data_folder
from common.run_files import read_log
from eval.records.folder import optional_json
from eval.reporting.experiment import DONE, Experiment, Meeting, RunFacts
from eval.result import metrics as results
from eval.statistics.pooling import ranking

SWEEPS = RUNS / "sweeps"
KEEPS = ("manifest.json", "heldout.json")


def from_sweep(sweep: str) -> Experiment:
    """Read a sweep that was started; UserError when there is none, or nothing of it is done."""
    name = Path(sweep).stem if sweep.endswith((".yaml", ".yml")) else Path(sweep.rstrip("/")).name
    folder = SWEEPS / name
    if not (folder / "sweep.json").is_file():
        there = sorted(path.parent.name for path in SWEEPS.glob("*/sweep.json"))
        hint = nearest(name, there) or (f"there are {', '.join(there)}" if there else "none has been started here")
        raise UserError(f"there is no sweep {name!r} in {SWEEPS}", f"{hint}; make sweep SWEEP=... starts one")
    plan = read_json(folder / "sweep.json")
    names = {entry["id"]: entry["name"] for entry in plan["runs"]}
    runs = [_run_of_sweep(entry, folder, names) for entry in plan["runs"]]
    if not any(run.state == DONE for run in runs):
        raise UserError(f"no run of {name} is done yet", f"make sweep SWEEP={name} goes on; STATUS=1 shows how far")
    meetings = {}
    for task in dict.fromkeys(run.base_task for run in runs):
        place = folder / "compare" / task
        if (place / "questions.jsonl").is_file():
            meetings[name, task] = Meeting(place, results.build(place))
    file = Path(plan["file"])
    return _with_rankings(
        Experiment(
            name=name,
            commands=[f"make sweep SWEEP={plan['file']}"],
            runs=runs,
            title=plan.get("title", ""),
            question=plan.get("question", ""),
            axes=plan.get("axes", {}),
            meetings=meetings,
            cards=_cards(runs),
            files={plan["file"]: file.read_text(encoding="utf-8")} if file.is_file() else {},
        )
    )


def _run_of_sweep(entry: dict[str, Any], folder: Path, names: dict[str, str]) -> RunFacts:
    state = optional_json(folder / "state" / f"{entry['id']}.json")
    place = Path(entry["folder"])
    now, error = state.get("state", "waiting"), state.get("error") or ""
    if now == DONE and not (place / "manifest.json").is_file():
        now, error = "gone", f"{place} is gone"
    return read_run(
        place, name=entry["name"], task=entry["task"], model=entry["model"], method=entry["method"],
        state=now, error=error, point=entry.get("point", {}), contestant=entry["contestant"], base=entry["base"],
        baseline=names.get(entry.get("baseline") or "", ""), group=folder.name, seconds=state.get("seconds", {}),
    )  # fmt: skip


def from_runs(folders: list[Path]) -> Experiment:
    """Read runs by their folders; UserError when one is no run or is not trained."""
    manifests = {folder: optional_json(folder / "manifest.json") for folder in dict.fromkeys(folders)}
    for folder, manifest in manifests.items():
        if not manifest:
            raise UserError(f"{folder} is no run: it has no manifest.json", "RUN=runs/<task>/<model>/<method>")
        if "train" not in manifest["steps"]:
            raise UserError(f"{folder} has not been trained yet", f"make run {_words(manifest)}")
    names = _told_apart(manifests)
    runs = [
        read_run(
            folder, name=names[folder], task=manifest["task"], model=manifest["model"], method=manifest["method"],
            seconds={step: facts["seconds"] for step, facts in manifest["steps"].items()},
        )
        for folder, manifest in manifests.items()
    ]  # fmt: skip
    commands = [manifest.get("command") or f"make run {_words(manifest)}" for manifest in manifests.values()]
    own = "-".join(runs[0].folder.parts[-3:]) if len(runs) == 1 else "runs"
    return _with_rankings(Experiment(name=own, commands=commands, runs=runs, cards=_cards(runs)))


def _words(manifest: dict[str, Any]) -> str:
    pairs = {key: manifest.get(key) for key in ("task", "model", "method", "variant")}
    return " ".join(f"{key.upper()}={value}" for key, value in pairs.items() if value)


def _told_apart(manifests: dict[Path, dict[str, Any]]) -> dict[Path, str]:
    """Return a name for each run: its method and variant, and what else tells it from the others."""
    parts = {folder: folder.parts[-3:] for folder in manifests}
    kept = [
        place for place in range(3) if place == 2 or len({found[place : place + 1] for found in parts.values()}) > 1
    ]
    return {folder: " ".join(found[place] for place in kept if place < len(found)) for folder, found in parts.items()}


def read_run(folder: Path, **known: Any) -> RunFacts:
    """Read one run's files; what is not there stays empty."""
    manifest, heldout = (optional_json(folder / name) for name in KEEPS)
    judged = (folder / "questions.jsonl").is_file()
    return RunFacts(
        folder=folder, manifest=manifest, heldout=heldout, log=[dict(row) for row in read_log(folder / "adapter")],
        result=results.build(folder) if judged else {}, **known,
    )  # fmt: skip


def _cards(runs: list[RunFacts]) -> dict[str, dict[str, Any]]:
    """Return the card of each task's rows, where these still are the rows that the runs were trained on."""
    found = {}
    for run in runs:
        card = optional_json(data_folder(run.task) / "card.json")
        trained = run.manifest.get("data", {}).get("files", {})
        if card and trained.get("train") == card["files"]["train"]:
            found[run.task] = card
    return found


def _with_rankings(found: Experiment) -> Experiment:
    """Rank the models of each task by each judge, where all are linked by comparisons."""
    groups = dict.fromkeys((run.group, run.base_task) for run in found.done)
    for group, task in groups:
        meeting = found.meetings.get((group, task))
        parts = [(meeting.folder, meeting.result)] if meeting else []
        parts = parts or [(run.folder, run.result) for run in found.done if run.base_task == task and run.result]
        for judge, kind in found.judges.items():
            if kind == "panel":
                continue
            try:
                rows = ranking(parts, judge)
            except ValueError:
                continue
            if len(rows) > 2:
                found.rankings[group, task, judge] = rows
    return found
